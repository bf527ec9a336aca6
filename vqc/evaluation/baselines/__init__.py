"""Other codecs, run on the same files in the same run.

::

    registry ─► Rival: encode, decode            images, jpeg_xl, audio
                  │
    matching ─► the setting for a size           few encodes, kept
                  │
    measuring ─► scores of items at the sizes of the model's files
"""

from vqc.evaluation.baselines.selection import RIVALS, choose_rivals, rival_named

__all__ = ["RIVALS", "choose_rivals", "rival_named"]
