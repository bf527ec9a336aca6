"""Mean squared errors of signals as they are held: 8-bit pixels, and waveforms that come in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # of an image compared at a time


def image_mse(before: NDArray[np.uint8], after: NDArray[np.uint8], seen: NDArray[np.bool_] | None = None) -> float:
    """Return the mean squared error of two images of one shape, levels 0..255 being 0..1.

    Args:
        seen: the pixels [H, W] that count; all by default.
    """
    total, count = 0, 0
    for row in range(0, len(before), _ROWS):
        rows = slice(row, row + _ROWS)
        difference = before[rows].astype(np.int32) - after[rows]
        difference = difference if seen is None else difference[seen[rows]]
        total, count = total + int(np.sum(difference * difference, dtype=np.int64)), count + difference.size
    return total / max(1, count) / 255**2


def psnr_of(mse: float) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean squared error, full scale being 1; infinite for 0."""
    return -10 * math.log10(mse) if mse > 0 else math.inf


def audio_mse(before: Iterable[NDArray[np.float32]], after: Iterable[NDArray[np.float32]]) -> float:
    """Return the mean squared error of two waveforms of one length, which come in blocks [n, C] of any lengths."""
    total, count = 0.0, 0
    right, rest = iter(after), np.zeros((0, 0), np.float32)
    for left in before:
        while len(left):
            if not len(rest):
                rest = next(right)
            length = min(len(left), len(rest))
            difference = left[:length].astype(np.float64) - rest[:length]
            total, count = total + float(np.sum(difference * difference)), count + difference.size
            left, rest = left[length:], rest[length:]
    return total / max(1, count)
