"""Big images are coded tile by tile, so that memory is bounded. This cut is part of the format.

An image is padded at the right and bottom to a multiple of the model's downsampling factor by repeating its edge. The
padded image is cut into cores of 1,024 x 1,024 pixels, row after row (the last of a row or column may be smaller).
Each is encoded together with the model's halo of pixels around it, and only the codes of the core are kept: together
they are one grid without gap or overlap. Decoding mirrors this, with a halo of codes. Where the halo covers what the
network can see, a tiled image is the untiled one and there is no seam. Each tile is one stream of the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.format.spans import Span, all_spans, span_count, tile_core

Pixels = NDArray[np.uint8]  # [H, W] or [H, W, 3]


class Tile(NamedTuple):
    """One tile, in units of codes."""

    rows: Span
    columns: Span

    @property
    def positions(self) -> int:
        """Of codes, in the core."""
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)


class Tiling:
    """The tiles of an image of `height` x `width` pixels for a model with this factor and halo (in pixels)."""

    def __init__(self, height: int, width: int, *, factor: int, halo: int) -> None:
        self.core, self.halo = tile_core(factor), -(-halo // factor)
        self.grid = -(-height // factor), -(-width // factor)  # codes [h, w] of the whole image
        self.shape = span_count(self.grid[0], self.core), span_count(self.grid[1], self.core)  # tiles

    @property
    def positions(self) -> int:
        """Of codes, in the whole image."""
        return self.grid[0] * self.grid[1]

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    def __iter__(self) -> Iterator[Tile]:
        height, width = self.grid
        for rows in all_spans(height, self.core, self.halo):
            for columns in all_spans(width, self.core, self.halo):
                yield Tile(rows, columns)


def padded_window(pixels: Pixels, tile: Tile, factor: int) -> Pixels:
    """A copy of the pixels of a tile and its context, the image's edge repeated where the padding is."""
    rows = slice(tile.rows.outer_start * factor, tile.rows.outer_stop * factor)
    columns = slice(tile.columns.outer_start * factor, tile.columns.outer_stop * factor)
    window = pixels[rows, columns]
    missing = (rows.stop - rows.start - window.shape[0], columns.stop - columns.start - window.shape[1])
    if not any(missing):
        return np.array(window)
    return np.pad(window, [(0, missing[0]), (0, missing[1]), (0, 0)][: window.ndim], mode="edge")
