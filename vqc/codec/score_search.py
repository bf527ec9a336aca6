"""The search for the smallest file that reaches a score.

::

    score asked for ─► a place that misses it, one that reaches it ─► places between ─► the first that reaches it

A place stands for an operating point: 1 … Q are the qualities, and between two of them lies the upper one at a higher
price of a bit. So scores rise without a gap: the lower one gains little from a lower price. Where a score does not
rise, the search ends at a file that reaches it and may be a little larger than needed.
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
_STEP = 2.5  # times its price of a bit, a quality of `photo` scores about like the one below
_LAST_STEP = 2.0  # beyond the last quality, by lower prices


class Trial(NamedTuple, Generic[Made]):
    """What was made at a place, and its score."""

    place: float
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

    def try_at(place: float) -> Trial[Made]:
        point = point_at(model, place)
        trials.append(Trial(place, point, *score_at(point)))
        return trials[-1]

    bracket, close = _bracket(wanted, model, try_at), _CLOSE[metric]
    for number in range(_TRIALS):
        if bracket is None:
            break
        below, above = bracket
        if above.score <= wanted + close or above.place - below.place <= _CLOSEST:
            break
        middle = try_at(_between(below, above, wanted + close / 2, halve=number % 3 == 2))
        bracket = (middle, above) if middle.score < wanted else (below, middle)
    reaching = [trial for trial in trials if trial.score >= wanted]
    if not reaching:
        raise TargetError(out_of_reach(metric, wanted, max(trial.score for trial in trials), f"the model {name}"))
    return min(reaching, key=lambda trial: trial.place)


def point_at(model: CodecModel, place: float) -> OperatingPoint:
    """The operating point of a place, 0 … Q + 1."""
    quality = min(max(math.ceil(place), 1), model.qualities)
    return OperatingPoint(quality, (_STEP if place <= quality else _LAST_STEP) ** (quality - place))


def _bracket(
    wanted: float, model: CodecModel, try_at: Callable[[float], Trial[Made]]
) -> tuple[Trial[Made], Trial[Made]] | None:
    """A place that misses the score and one that reaches it; None when all reach it, or none."""
    last, step = model.qualities + 1.0, 1.0
    trial = try_at(float(model.default_quality))
    rises = trial.score < wanted
    while 0 < trial.place < last:
        other = try_at(min(max(trial.place + (step if rises else -step), 0.0), last))
        if (other.score < wanted) != rises:
            return (trial, other) if rises else (other, trial)
        trial, step = other, 2 * step
    return None


def _between(below: Trial[Made], above: Trial[Made], wanted: float, *, halve: bool) -> float:
    """Where a straight line between two scores meets the one wanted; now and then the middle, as it may be bent."""
    share = 0.5 if halve else (wanted - below.score) / (above.score - below.score)
    return below.place + min(max(share, 0.1), 0.9) * (above.place - below.place)


def out_of_reach(metric: str, wanted: float, best: float, name: str) -> str:
    """That the score wanted is not reached, but only the best."""
    unit, label, decimals = METRICS[metric].unit, METRICS[metric].label, METRICS[metric].decimals
    asked, found = f"{wanted:g} {unit}".strip(), f"{best:.{decimals}f} {unit}".strip()
    return f"{label} {asked} is out of reach: the best that {name} comes to here is {found}"
