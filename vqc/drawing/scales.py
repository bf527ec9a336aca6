"""Axes: from values to heights between 0 and 1, and the values that are worth a tick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["linear", "log", "below one"]
NEAR_ONE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)


class Scale(NamedTuple):
    """An axis from `low` to `high`."""

    kind: Kind
    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        low, high = _bend(self.kind, self.low), _bend(self.kind, self.high)
        return (_bend(self.kind, value) - low) / (high - low)


def scale_for(values: Sequence[float], kind: Kind, *, margin: float = 0.04, most: int = 6) -> Scale:
    """Return the axis that holds the values, with at most `most` ticks; linear where the kind cannot hold them."""
    if not values:
        return Scale("linear", 0, 1, (0, 1))
    if (kind == "log" and min(values) <= 0) or (kind == "below one" and not (min(values) > 0 and max(values) < 1)):
        kind = "linear"
    low, high = _bend(kind, min(values)), _bend(kind, max(values))
    room = margin * (high - low) if high > low else abs(high) * 0.1 or 1.0
    ends = _unbend(kind, low - room), _unbend(kind, high + room)
    ticks = [tick for tick in _candidates(kind, *ends) if ends[0] <= tick <= ends[1]]
    if len(ticks) < 2:
        ticks = [tick for tick in _round_steps(*ends) if ends[0] <= tick <= ends[1]]
    step = -(-len(ticks) // most)
    return Scale(kind, *ends, tuple(ticks[::step]))


def suits(values: Sequence[float]) -> Kind:
    """Logarithmic where positive values span more than a factor of four, else linear."""
    return "log" if values and min(values) > 0 and max(values) > 4 * min(values) else "linear"


def _candidates(kind: Kind, low: float, high: float) -> Sequence[float]:
    if kind == "below one":
        return NEAR_ONE
    if kind == "linear":
        return _round_steps(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    many = len(decades) > 4
    return [factor * 10.0**decade for decade in decades for factor in ((1,) if many else (1, 2, 5))]


def _round_steps(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, four to eight of them."""
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = max(factor * size for factor in (1, 2, 5) if factor * size <= (high - low) / 4)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _bend(kind: Kind, value: float) -> float:
    if kind == "log":
        return math.log10(value)
    return -math.log10(1 - value) if kind == "below one" else value


def _unbend(kind: Kind, value: float) -> float:
    if kind == "log":
        return float(10.0**value)
    return 1 - 10.0**-value if kind == "below one" else value
