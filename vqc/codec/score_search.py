"""The search for the smallest file that reaches a score.

A place stands for an operating point: 1 … Q are the qualities, and about each lies what it gives at another price of a
bit, so that scores rise with the place, nearly without a gap. What a quality has encoded for one place can be tried at
others for little. Known at any time, and narrowed by each trial::

    a quality that misses the score even at its top    <  the quality  ≤  one that reaches it even at its bottom
    a place that misses it, with what is encoded       <   the place   ≤  one that reaches it

Asked next is where a straight line through two scores meets the one wanted, within these bounds; and the end of a
quality before any other quality. The search stops just above the score, or where no place is left between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from vqc.errors import TargetError
from vqc.metrics.catalogue import METRICS
from vqc.models.base import CodecModel
from vqc.models.search import OperatingPoint

Made = TypeVar("Made")

_TRIALS = 11  # at most
_CLOSEST = 1 / 32  # of a quality: about one percent of the bits
# What is near enough to the score asked for, from above: about one percent of the bits
_CLOSE: Mapping[str, float] = MappingProxyType({"psnr": 0.02, "ms_ssim": 0.0004, "pesq_wb": 0.01})
_STEP = 3.5  # its square root times, or by, their price of a bit, two neighbours of `photo` score about alike
_SPAN = 0.6  # of a quality to its ends: somewhat beyond half, as encoding another takes time
_ENDS = math.log(2.5, _STEP), math.log(2, _STEP)  # of the first and the last: beyond them little is gained
_NEAR = 0.35  # of a quality: so far away lies what was encoded for a place and is as good for another
_FARTHEST = 1.5  # qualities at a time, as scores do not rise in a straight line


class Encoding(NamedTuple):
    """What is encoded: a quality, for the price of a bit at a place."""

    quality: int
    aim: float

    def at(self, place: float) -> OperatingPoint:
        """The operating point of a place."""
        return OperatingPoint(self.quality, _STEP ** (self.quality - place))


class Trial(NamedTuple, Generic[Made]):
    """What was made of an encoding at a place, and its score."""

    encoding: Encoding
    place: float
    made: Made
    score: float


def reach_score(
    metric: str,
    wanted: float,
    model: CodecModel,
    name: str,
    score_at: Callable[[OperatingPoint, bool], tuple[Made, float]],
    *,
    refines: bool,
) -> Trial[Made]:
    """The first place found whose score is at least `wanted`, and hardly above it if there is one.

    Args:
        metric: key of the catalogue.
        name: how errors call the model.
        score_at: makes what an operating point gives, and scores it; and is told to encode anew for this point, where
            else it takes what was encoded last, which is of the same quality.
        refines: whether codes are better where they are encoded for their point.

    Raises:
        TargetError: no place reaches the score; it says how near the best comes.
    """
    search = _Search(wanted, _CLOSE[metric], model.qualities, _NEAR if refines else math.inf)
    encoding, place = Encoding(model.default_quality, model.default_quality), float(model.default_quality)
    trials = [Trial(encoding, place, *score_at(encoding.at(place), True))]
    while len(trials) < _TRIALS and (asked := search.next(trials)) is not None:
        encoding, place = asked
        trials.append(Trial(encoding, place, *score_at(encoding.at(place), encoding != trials[-1].encoding)))
    best = max(trial.score for trial in trials)
    if best < wanted:
        raise TargetError(out_of_reach(metric, wanted, best, f"the model {name}"))
    reaching = [trial for trial in trials if trial.score >= wanted]
    return min(reaching, key=lambda trial: (trial.encoding != encoding, trial.place))


class _Search(NamedTuple):
    """What is asked for: a score of `wanted`, or `close` above, by an encoding for a place at most `near` away."""

    wanted: float
    close: float
    qualities: int
    near: float

    def next(self, trials: Sequence[Trial[Made]]) -> tuple[Encoding, float] | None:
        """The encoding and the place to try next; None at the end of the search."""
        encoding = trials[-1].encoding
        if self.wanted <= trials[-1].score <= self.wanted + self.close:
            return None
        curve = sorted((trial for trial in trials if trial.encoding == encoding), key=lambda trial: trial.place)
        first = next((number for number, trial in enumerate(curve) if trial.score >= self.wanted), len(curve))
        if first in (0, len(curve)):
            return self._beyond(trials, curve[-1] if first else curve[0])
        below, above = curve[first - 1 : first + 1]
        width = above.place - below.place
        if width <= _CLOSEST:
            return None
        place = self._meet(below, _slope(below, above))
        place = min(max(place, below.place + 0.1 * width), above.place - 0.1 * width)  # as the line may be bent
        return encoding if abs(place - encoding.aim) <= self.near else encoding._replace(aim=place), place

    def _beyond(self, trials: Sequence[Trial[Made]], edge: Trial[Made]) -> tuple[Encoding, float] | None:
        """The same where all places of an encoding, up to this edge, miss the score, or down to it reach it."""
        slopes = [_slope(one, two) for one, two in pairwise(trials) if one.encoding == two.encoding]
        place = self._meet(edge, next((slope for slope in reversed(slopes) if 0 < slope < math.inf), 0.0))
        bottom, top = self._ends(edge.encoding.quality)
        if edge.place < top if edge.score < self.wanted else edge.place > bottom:  # its end first
            return edge.encoding, min(max(place, bottom), top)
        low, high = self._bounds(trials)
        if low == self.qualities or high == 1:
            return None
        quality = max(low + 1, min(round(place), high - 1))
        if quality == edge.encoding.quality:  # a gap: the one below misses the score at its top
            return edge.encoding, place
        bottom, top = self._ends(quality)
        within = place if bottom < place < top else float(quality)  # or the line was wrong
        place = bottom if quality == high else within
        return Encoding(quality, place), place

    def _bounds(self, trials: Sequence[Trial[Made]]) -> tuple[int, int]:
        """The highest quality known to miss the score even at its top, and the lowest to reach it at its bottom."""
        low, high = 0, self.qualities + 1
        for (quality, _), place, _, score in trials:
            bottom, top = self._ends(quality)
            if score < self.wanted and place >= top:
                low = max(low, quality)
            if score >= self.wanted and place <= bottom:
                high = min(high, quality)
        return low, high

    def _meet(self, trial: Trial[Made], slope: float) -> float:
        """Where a line through a trial meets the score to aim at; at most so far away."""
        away = self.wanted + self.close / 2 - trial.score
        step = min(abs(away) / slope, _FARTHEST) if slope > 0 else _FARTHEST
        return trial.place + math.copysign(step, away)

    def _ends(self, quality: int) -> tuple[float, float]:
        """The lowest and the highest place of a quality."""
        bottom = quality - (_ENDS[0] if quality == 1 else _SPAN)
        return bottom, quality + (_ENDS[1] if quality == self.qualities else _SPAN)


def _slope(one: Trial[Made], two: Trial[Made]) -> float:
    """How much the score rises with the place."""
    return (two.score - one.score) / (two.place - one.place)


def out_of_reach(metric: str, wanted: float, best: float, name: str) -> str:
    """That the score wanted is not reached, but only the best."""
    unit, label, decimals = METRICS[metric].unit, METRICS[metric].label, METRICS[metric].decimals
    asked, found = f"{wanted:g} {unit}".strip(), f"{best:.{decimals}f} {unit}".strip()
    return f"{label} {asked} is out of reach: the best that {name} comes to here is {found}"
