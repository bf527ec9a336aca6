"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.drawing.style import Drawing, add_caption, house_style


def draw_confusion(
    confusion: NDArray[np.int64], classes: Sequence[str], order: Sequence[str], path: Path, caption: str
) -> Drawing:
    """Draw each class as a row: how its frames are shared among what they are taken for.

    Args:
        confusion: [C, C], frames by their class and by what they are taken for.
        classes: names [C] of rows and columns.
        order: the names in the order in which they are shown.
        path: of the PNG.
        caption: what was measured.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    places = [classes.index(name) for name in order]
    rows = confusion[np.ix_(places, places)].astype(np.float64)
    shares = rows / rows.sum(1, keepdims=True).clip(min=1)  # [C, C]
    with house_style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import PercentFormatter

        figure = Figure(figsize=(9.6, 8.8), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="magma_r", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xticks(range(len(order)), order, rotation=90, fontsize=8)
        axes.set_yticks(range(len(order)), order, fontsize=8)
        axes.set_xlabel("phone that the code stands for")
        axes.set_ylabel("phone that was said")
        axes.tick_params(length=0)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0, symbol=" %"))
        bar.set_label("share of the frames of a row")
        add_caption(figure, caption)
    return Drawing(path, figure, caption)
