"""The search for the smallest file that reaches a score.

::

    score asked for ─► a place that misses it, one that reaches it ─► places between ─► the first that reaches it

A place is a quality and how far it lies from it: as for a quality between two, the nearer one stands for it with another
price of a bit. Halfway two qualities score about alike; where the upper one still scores more, its price rises further.
So scores rise without a gap. Where one does not rise, the search ends at a file that reaches it and may be a little
larger than needed. What a quality has encoded serves all its places, so they are tried before another quality is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from vqc.errors import TargetError
from vqc.metrics.catalogue import METRICS
from vqc.models.base import CodecModel
from vqc.models.search import OperatingPoint

Made = TypeVar("Made")

_TRIALS = 8  # between the two places that the score lies between
_CLOSEST = 1 / 32  # of a quality: about one percent of the bits
# What is near enough to the score asked for, from above: about one percent of the bits
_CLOSE: Mapping[str, float] = MappingProxyType({"psnr": 0.02, "ms_ssim": 0.0004, "pesq_wb": 0.01})
_HALF = 0.5  # of a quality, to both sides
_HIGHEST = 2.5  # times its price of a bit, a quality scores about like the one below or less
_LOWEST = 1 / 2  # below it, the last quality gains little
_FARTHEST = 3  # qualities at a time, as scores do not rise in a straight line


class Place(NamedTuple):
    """A quality, and how many qualities beyond it: below 0 by a higher price of a bit. Scores rise with both."""

    quality: int
    offset: float

    @property
    def value(self) -> float:
        """The quality between two that it stands for."""
        return self.quality + self.offset


class Trial(NamedTuple, Generic[Made]):
    """What was made at a place, and its score."""

    place: Place
    point: OperatingPoint
    made: Made
    score: float


def reach_score(
    metric: str,
    wanted: float,
    model: CodecModel,
    name: str,
    score_at: Callable[[OperatingPoint], tuple[Made, float]],
) -> Trial[Made]:
    """The first place found whose score is at least `wanted`, and hardly above it if there is one.

    Args:
        metric: key of the catalogue.
        name: how errors call the model.
        score_at: makes what an operating point gives, and scores it.

    Raises:
        TargetError: no place reaches the score; it says how near the best comes.
    """
    trials = list[Trial[Made]]()

    def try_at(place: Place) -> Trial[Made]:
        point = point_at(model, place)
        trials.append(Trial(place, point, *score_at(point)))
        return trials[-1]

    bracket, close = _bracket(wanted, model, try_at), _CLOSE[metric]
    for number in range(_TRIALS):
        if bracket is None:
            break
        below, above = bracket
        place = _between(model, below, above, wanted + close / 2, halve=number % 3 == 2)
        if above.score <= wanted + close or place is None:
            break
        middle = try_at(place)
        bracket = (middle, above) if middle.score < wanted else (below, middle)
    reaching = [trial for trial in trials if trial.score >= wanted]
    if not reaching:
        raise TargetError(out_of_reach(metric, wanted, max(trial.score for trial in trials), f"the model {name}"))
    return min(reaching, key=lambda trial: trial.place)


def point_at(model: CodecModel, place: Place) -> OperatingPoint:
    """The operating point of a place."""
    return OperatingPoint(place.quality, model.lambda_step**-place.offset)


def _end(model: CodecModel, quality: int, *, upper: bool) -> Place:
    """The place where the next quality begins; beyond the last, where a bit costs as much or as little as it may."""
    if quality == (model.qualities if upper else 1):
        return Place(quality, _offset(model, _LOWEST if upper else _HIGHEST))
    return Place(quality, _HALF if upper else -_HALF)


def _offset(model: CodecModel, lambda_scale: float) -> float:
    return -math.log(lambda_scale, model.lambda_step)


def _bracket(
    wanted: float, model: CodecModel, try_at: Callable[[Place], Trial[Made]]
) -> tuple[Trial[Made], Trial[Made]] | None:
    """A place that misses the score and one that reaches it; None when all reach it, or none."""
    trial = try_at(Place(model.default_quality, 0.0))
    rises = trial.score < wanted
    while True:
        end = try_at(_end(model, trial.place.quality, upper=rises))
        if (end.score < wanted) != rises:
            return (trial, end) if rises else (end, trial)
        quality = trial.place.quality + (1 if rises else -1) * _qualities_to(wanted, trial, end)
        quality = min(max(quality, 1), model.qualities)
        if quality == trial.place.quality:
            return None
        trial = try_at(Place(quality, 0.0))
        if (trial.score < wanted) != rises:
            return (end, trial) if rises else (trial, end)


def _qualities_to(wanted: float, trial: Trial[Made], end: Trial[Made]) -> int:
    """How many qualities away a straight line through two scores of one meets the score wanted; at least one."""
    gain = (end.score - trial.score) * (1 if wanted > end.score else -1)
    if gain <= 0:
        return 1
    away = abs((wanted - trial.score) / gain * (end.place.offset - trial.place.offset))
    return min(max(round(away), 1), _FARTHEST)


def _between(
    model: CodecModel, below: Trial[Made], above: Trial[Made], wanted: float, *, halve: bool
) -> Place | None:
    """Where a straight line between two scores meets the one wanted; None when the places are as good as one.

    Now and then it is the middle, as the line may be bent.
    """
    share = 0.5 if halve else (wanted - below.score) / (above.score - below.score)
    share = min(max(share, 0.1), 0.9)
    low, high = below.place, above.place
    if low.quality + 1 == high.quality and low.offset >= _HALF - _CLOSEST:  # all between is of the upper one
        beyond = high.offset <= _CLOSEST - _HALF
        low = Place(high.quality, _offset(model, _HIGHEST) if beyond else -_HALF)
    if high.value - low.value <= _CLOSEST:
        return None
    value = low.value + share * (high.value - low.value)
    quality = high.quality if low.quality == high.quality else round(value)
    return Place(quality, value - quality)


def out_of_reach(metric: str, wanted: float, best: float, name: str) -> str:
    """That the score wanted is not reached, but only the best."""
    unit, label, decimals = METRICS[metric].unit, METRICS[metric].label, METRICS[metric].decimals
    asked, found = f"{wanted:g} {unit}".strip(), f"{best:.{decimals}f} {unit}".strip()
    return f"{label} {asked} is out of reach: the best that {name} comes to here is {found}"
