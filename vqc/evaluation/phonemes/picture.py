"""The confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vqc.drawing.style import add_caption, house_style, save_figure
from vqc.evaluation.phonemes.phone_classes import CLASSES
from vqc.evaluation.phonemes.probe import Int64Array

# The rows in an order that puts phones together which are made alike, so that confusions lie near the diagonal.
_ORDER = (
    *("IY", "IH", "EY", "EH", "AE", "AY", "AA", "AO", "AW", "AH", "ER", "UH", "UW", "OW", "OY"),
    *("Y", "W", "R", "L", "M", "N", "NG", "V", "DH", "Z", "ZH", "F", "TH", "S", "SH", "HH"),
    *("CH", "JH", "B", "D", "G", "P", "T", "K", "sil", "other"),
)


def draw_confusion(confusion: Int64Array, path: Path, caption: str) -> Path:
    """Write a PNG: each row a phone, and how its frames are shared among what the codes stand for.

    Args:
        confusion: [41, 41], frames by their class and by what was said.
        path: of the PNG; a file that is there is replaced.
        caption: what was measured.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    order = [CLASSES.index(name) for name in _ORDER]
    rows = confusion[np.ix_(order, order)].astype(np.float64)
    shares = rows / rows.sum(1, keepdims=True).clip(min=1)
    with house_style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import PercentFormatter

        figure = Figure(figsize=(9.6, 8.8), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="magma_r", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xticks(range(len(order)), _ORDER, rotation=90, fontsize=8)
        axes.set_yticks(range(len(order)), _ORDER, fontsize=8)
        axes.set_xlabel("phone that the code stands for")
        axes.set_ylabel("phone that was said")
        axes.tick_params(length=0)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0, symbol=" %"))
        bar.set_label("share of the frames of a row")
        add_caption(figure, caption)
        return save_figure(figure, path, caption)
