"""Lossless prediction of integer maps from their neighbours: the median edge detector of JPEG-LS (LOCO-I), modulo K.

Weinberger, Seroussi, Sapiro 2000, equation 1: with W, N, NW the values to the left, above and above left, the
prediction is min(W, N) if NW ≥ max(W, N), max(W, N) if NW ≤ min(W, N), else W + N − NW, that is, the median of
W, N and W + N − NW. The first value is predicted as K/2, the rest of the first row by W, of the first column by N.
Residuals are shifted by K/2 so that a perfect prediction is the symbol K/2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]


def to_residuals(maps: Int64Array, size: int) -> Int64Array:
    """Maps [G, h, w] of values 0 .. size-1 to residuals [G, h, w] of the same range."""
    padded = np.pad(maps, ((0, 0), (1, 0), (1, 0)), constant_values=size // 2)
    prediction = _median(padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1])
    residuals: Int64Array = (maps - prediction + size // 2) % size
    return residuals


def from_residuals(residuals: Int64Array, size: int) -> Int64Array:
    """The inverse of `to_residuals`. Values on one anti-diagonal depend on earlier ones only, so go together."""
    groups, height, width = residuals.shape
    padded = np.full((groups, height + 1, width + 1), size // 2, dtype=np.int64)
    for diagonal in range(height + width - 1):
        row = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        column = diagonal - row
        prediction = _median(padded[:, row + 1, column], padded[:, row, column + 1], padded[:, row, column])
        padded[:, row + 1, column + 1] = (residuals[:, row, column] - size // 2 + prediction) % size
    return padded[:, 1:, 1:].copy()


def _median(west: Int64Array, north: Int64Array, northwest: Int64Array) -> Int64Array:
    """Median of W, N, W + N − NW: with a constant around the map, W in the first row and N in the first column."""
    low, high = np.minimum(west, north), np.maximum(west, north)
    median: Int64Array = np.clip(west + north - northwest, low, high)
    return median
