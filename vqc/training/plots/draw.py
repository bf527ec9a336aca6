"""All figures at the end of a run: curves, and validation signals beside their reconstructions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vqc.drawing.reconstructions import draw_reconstructions, draw_waveforms
from vqc.drawing.style import require_matplotlib
from vqc.training.history import read_history
from vqc.training.plots.runs import describe, draw_run
from vqc.training.run import Run
from vqc.training.train import restored_samples

__all__ = ["draw_pictures", "require_matplotlib"]


def draw_pictures(run: Run, dataset: Any, model_file: Path) -> list[Path]:
    """Write the figures of a finished run to RUN/figures; MissingPackageError when matplotlib is not installed."""
    drawn = draw_run(run.folder)
    caption = f"{describe(read_history(run.folder))} These were held out."
    originals, restored = restored_samples(run, dataset, model_file)
    folder = run.folder / "figures"
    if originals and dataset.media == "image":
        drawn.append(draw_reconstructions(originals, restored, folder / "reconstructions.png", caption))
    elif originals:
        path = folder / "waveforms.png"
        drawn.append(draw_waveforms(originals, restored, path, caption, sample_rate=dataset.sample_rate))
    return [one.save(overwrite=True) for one in drawn]  # a run's own, drawn again when it is resumed
