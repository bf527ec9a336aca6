"""Means with the uncertainty that comes of having measured few files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# 97.5 % quantiles of Student's t distribution with 1, 2, … degrees of freedom.
_QUANTILES = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
)
_NORMAL = 1.959964  # 97.5 % quantile of the normal distribution


class Interval(NamedTuple):
    """The mean of a sample, and what the 95 % confidence interval of the mean reaches to either side."""

    mean: float
    half_width: float


class Share(NamedTuple):
    """How many of some trials succeeded, and the 95 % confidence interval of their probability, all from 0 to 1."""

    share: float
    low: float
    high: float


def estimate_share(successes: Sequence[bool]) -> Share:
    """Share of successes with Wilson's score interval (1927), which holds for few trials and for none or all of them.

    The share of no trials is not asked for.
    """
    count = len(successes)
    assert count, "a share of nothing"
    share, z = sum(successes) / count, _NORMAL**2 / count
    middle = (share + z / 2) / (1 + z)
    reach = math.sqrt(z * (share * (1 - share) + z / 4)) / (1 + z)
    return Share(share, max(0.0, middle - reach), min(1.0, middle + reach))


def estimate_mean(values: Sequence[float]) -> Interval:
    """Mean and half width by Student's t, for values of independent files; half width 0 for a single one.

    The mean of no values is not asked for.
    """
    count = len(values)
    assert count, "a mean of nothing"
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, 0.0)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, t_quantile(count - 1) * math.sqrt(variance / count))


def t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t: from a table, above it by a series (Abramowitz and Stegun 26.7.5)."""
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    z = _NORMAL
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
