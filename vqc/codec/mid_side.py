"""Two channels that are nearly one, as mid and side."""

from __future__ import annotations

import numpy as np

from vqc.format.chunking import Float32Array

# Two channels become mid and side when the side has at most this share of the energy: nearly mono. Otherwise a model
# that does not keep phases would smear what is on the left over the right.
_MID_SIDE_SHARE = 0.01


def nearly_mono(waveforms: Float32Array) -> bool:
    """Return whether waveforms [C, T] are two channels that are to become mid and side."""
    if len(waveforms) != 2:
        return False
    left, right = waveforms.astype(np.float64)  # sums of many small squares
    side, total = np.sum((left - right) ** 2) / 2, np.sum(left**2) + np.sum(right**2)
    return bool(total > 0 and side <= _MID_SIDE_SHARE * total)


def to_mid_side(waveforms: Float32Array) -> None:
    """Left and right [2, T] to mid and side, in place."""
    left, right = waveforms  # [T] each
    waveforms[0], waveforms[1] = (left + right) / 2, (left - right) / 2  # halves: both stay in [-1, 1]


def from_mid_side(waveforms: Float32Array) -> None:
    """Mid and side [2, T] to left and right, in place."""
    mid, side = waveforms
    waveforms[0], waveforms[1] = mid + side, mid - side
