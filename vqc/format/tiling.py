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

from vqc.format.spans import Span, span_at, span_count, tile_core

Pixels = NDArray[np.uint8]  # [H, W] or [H, W, 3]


class Tile(NamedTuple):
    """One tile, in units of codes."""

    rows: Span
    columns: Span

    @property
    def core(self) -> tuple[slice, slice]:
        """The core's codes in the grid of the image."""
        return self.rows.core, self.columns.core

    @property
    def inner(self) -> tuple[slice, slice]:
        """The core's codes in those of the tile with its context."""
        return self.rows.inner, self.columns.inner

    @property
    def positions(self) -> int:
        """Number of codes of the core in each map."""
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)


class Tiling:
    """The tiles of an image of `height` x `width` pixels for a model with this factor and halo (in pixels)."""

    def __init__(self, height: int, width: int, *, factor: int, halo: int) -> None:
        self.factor, self.core, self.halo = factor, tile_core(factor), -(-halo // factor)
        self.grid = -(-height // factor), -(-width // factor)  # codes [h, w] of the whole image
        self.shape = span_count(self.grid[0], self.core), span_count(self.grid[1], self.core)  # tiles

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    def __iter__(self) -> Iterator[Tile]:
        return iter([self.tile(index) for index in range(len(self))])

    def tile(self, index: int) -> Tile:
        """The tile with this index, row after row."""
        row, column = divmod(index, self.shape[1])  # of tiles
        height, width = self.grid
        return Tile(
            span_at(row, height, self.core, self.halo),
            span_at(column, width, self.core, self.halo),
        )

    def region(self, index: int) -> tuple[slice, ...]:
        """The codes of a tile's core in the grid of the image."""
        return self.tile(index).core

    def pixels(self, index: int) -> tuple[slice, slice]:
        """The pixels of a tile's core in those of the padded image."""
        rows, columns = (slice(side.start * self.factor, side.stop * self.factor) for side in self.tile(index).core)
        return rows, columns


def padded_window(pixels: Pixels, tile: Tile, factor: int) -> Pixels:
    """A copy of the pixels of a tile and its context, the image's edge repeated where the padding is."""
    rows, columns = (slice(span.outer_start * factor, span.outer_stop * factor) for span in tile)
    window = pixels[rows, columns]
    missing = (rows.stop - rows.start - window.shape[0], columns.stop - columns.start - window.shape[1])
    if not any(missing):
        return np.array(window)
    # [H, W] or [H, W, 3]: only at the right and the bottom of the image is anything missing
    return np.pad(window, [(0, missing[0]), (0, missing[1]), (0, 0)][: window.ndim], mode="edge")
