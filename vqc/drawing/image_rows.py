"""Small images in rows, enlarged, such as drawn ones above what they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.drawing.style import DPI, Drawing, add_caption, house_style, require_matplotlib

_LARGER, _GAP, _CAPTION = 3, 4, 56  # times; pixels between images; pixels of the caption


def draw_image_rows(rows: Sequence[NDArray[np.uint8]], path: Path, caption: str) -> Drawing:
    """Draw rows of images uint8 [N, H, W, 3], all of one size, each three times as large.

    MissingPackageError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    large = [row.repeat(_LARGER, 1).repeat(_LARGER, 2) for row in rows]
    padded = [np.pad(row, [(0, 0), (_GAP, 0), (_GAP, 0), (0, 0)], constant_values=255) for row in large]
    pixels = np.concatenate([np.concatenate(list(row), 1) for row in padded], 0)  # [H, W, 3]
    height, width = pixels.shape[:2]
    with house_style():
        figure = Figure(figsize=(width / DPI, (height + _CAPTION) / DPI), dpi=DPI)
        axes = figure.add_axes((0, _CAPTION / (height + _CAPTION), 1, height / (height + _CAPTION)))
        axes.imshow(pixels, interpolation="nearest")
        axes.axis("off")
        add_caption(figure, caption)
        return Drawing(path, figure, caption)
