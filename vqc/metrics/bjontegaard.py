"""Bjøntegaard's rate: how far apart two rate-distortion curves are on average.

G. Bjøntegaard, VCEG-M33 (2001), with piecewise cubic interpolation over the logarithm of the rate as in the common test
conditions of JCT-VC and JVET (JCTVC-L1100): monotone cubic Hermite pieces, integrated exactly.

::

    score                         BD-rate: mean horizontal distance, in percent of the anchor's rate,
      │      ·─── codec           over the part that the curves have in common
      │   ·──┼┄┄┄┄·─ anchor
      └────────────── log rate
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def bd_rate(
    anchor_rates: Sequence[float], anchor_scores: Sequence[float], rates: Sequence[float], scores: Sequence[float]
) -> float | None:
    """Return how much more rate a codec needs for the same scores than the anchor, in percent; negative is better.

    Rates are positive; higher scores must be better (negate the others). Points that cost more than another one and
    score no better are left out first. None when the curves have no scores in common.
    """
    anchor, codec = _curve(anchor_rates, anchor_scores), _curve(rates, scores)
    difference = _mean_difference(anchor[1], anchor[0], codec[1], codec[0])
    return None if difference is None else float(10**difference - 1) * 100


def _curve(rates: Sequence[float], scores: Sequence[float]) -> tuple[Float64Array, Float64Array]:
    """log10 of the rates and the scores, both rising."""
    kept: list[tuple[float, float]] = []
    for rate, score in sorted(zip(rates, scores, strict=True), key=lambda point: (point[0], -point[1])):
        if not kept or score > kept[-1][1]:
            kept.append((rate, score))
    points = np.array(kept, np.float64).reshape(-1, 2)
    return np.log10(points[:, 0]), points[:, 1]


def _mean_difference(x0: Float64Array, y0: Float64Array, x1: Float64Array, y1: Float64Array) -> float | None:
    """Mean of y1(x) - y0(x) over the x that both have."""
    if min(len(x0), len(x1)) < 2:
        return None
    low, high = max(x0[0], x1[0]), min(x0[-1], x1[-1])
    if low >= high:
        return None
    return float(_integral(x1, y1, low, high) - _integral(x0, y0, low, high)) / float(high - low)


def _integral(x: Float64Array, y: Float64Array, low: float, high: float) -> float:
    """Integrate the monotone piecewise cubic through the points, from `low` to `high`, both within the points."""
    width, slope = np.diff(x), np.diff(y) / np.diff(x)
    derivative = _derivatives(width, slope)
    # On each piece y + d·t + c·t² + b·t³ with t from its left end.
    c = (3 * slope - 2 * derivative[:-1] - derivative[1:]) / width
    b = (derivative[:-1] + derivative[1:] - 2 * slope) / width**2
    left, right = (np.clip(end - x[:-1], 0, width) for end in (low, high))

    def primitive(t: Float64Array) -> Float64Array:
        result: Float64Array = t * (y[:-1] + t * (derivative[:-1] / 2 + t * (c / 3 + t * b / 4)))
        return result

    return float((primitive(right) - primitive(left)).sum())


def _derivatives(width: Float64Array, slope: Float64Array) -> Float64Array:
    """At the points, such that no piece overshoots: Fritsch and Butland 1984, with the ends of Moler's `pchip`."""
    if len(slope) == 1:
        return np.repeat(slope, 2)
    w1, w2 = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    inner = (w1 + w2) / (w1 / slope[:-1] + w2 / slope[1:])  # all slopes are positive, see _curve
    ends = (_end(width[:2], slope[:2]), _end(width[:-3:-1], slope[:-3:-1]))
    return np.concatenate([[ends[0]], inner, [ends[1]]])


def _end(width: Float64Array, slope: Float64Array) -> float:
    """Derivative at an end from the two pieces next to it, the nearer first: three points, kept in shape."""
    value = ((2 * width[0] + width[1]) * slope[0] - width[0] * slope[1]) / (width[0] + width[1])
    return float(max(value, 0))
