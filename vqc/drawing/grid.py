"""Images of one size side by side, in rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CELL = 128  # pixels: smaller images are enlarged as far as they fit into so much
GAP = 2
PAPER = 255

Pixels = NDArray[np.uint8]  # [H, W, 3]


def draw_grid(images: Sequence[Pixels], *, columns: int = 0) -> Pixels:
    """Lay images uint8 [H, W, 3] of one size out in rows, on white; small ones in whole steps larger, edges sharp.

    Args:
        columns: images in a row; 0: as many as make the grid about as wide as it is high.
    """
    height, width, _ = images[0].shape
    columns = columns or math.ceil(math.sqrt(len(images) * height / width))
    columns, step = min(columns, len(images)), max(1, CELL // max(height, width))
    rows, height, width = -(-len(images) // columns), height * step, width * step
    grid = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        grid[top : top + height, left : left + width] = image.repeat(step, 0).repeat(step, 1)
    return grid
