"""Other codecs, run on the same files in the same run.

::

    registry ─► Baseline: encode, decode            images, jpeg_xl, audio
                  │
    matching ─► the setting for a size           few encodes, kept
                  │
    measuring ─► scores of items at the sizes of the model's files
"""

from vqc.evaluation.baselines.selection import BASELINES, baseline_named, choose_baselines

__all__ = ["BASELINES", "baseline_named", "choose_baselines"]
