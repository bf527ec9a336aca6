"""The search for the smallest file that reaches a score.

::

    score asked for ─► a place that misses it, one that reaches it ─► places between ─► the first that reaches it

A place stands for an operating point: 1 … Q are the qualities, and between two of them lies the nearer one with another
price of a bit. So scores rise without a gap, or nearly. A place is tried with what its quality has encoded already, as
long as that is not for one far away. Where scores do not rise, the search ends at a file that reaches the one asked for
and may be a little larger than needed.
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

_TRIALS = 10  # beside the first
_CLOSEST = 1 / 32  # of a quality: about one percent of the bits
# What is near enough to the score asked for, from above: about one percent of the bits
_CLOSE: Mapping[str, float] = MappingProxyType({"psnr": 0.02, "ms_ssim": 0.0004, "pesq_wb": 0.01})
_STEP = 3.5  # its square root times, or by, their price of a bit, two neighbours of `photo` score about alike
_ENDS = (2.5, 1 / 2)  # times the price of the first and the last quality; beyond these little is gained
_STAYS = 0.6  # of a quality: so far away lies what it can stand for, so that another is not encoded for little
_MOST = 0.75  # of a quality: so far above lies the last that it may stand for, even if no other was to be looked at
_GAP = 0.3  # between places of two qualities, and no other quality is looked at
_NEAR = 0.35  # of a quality: so far away lies what was encoded for a place and is as good for another
_FARTHEST = 1.5  # qualities at a time, as scores do not rise in a straight line


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
    score_at: Callable[[OperatingPoint, bool], tuple[Made, float]],
    *,
    refines: bool,
) -> Trial[Made]:
    """The first place found whose score is at least `wanted`, and hardly above it if there is one.

    Args:
        metric: key of the catalogue.
        name: how errors call the model.
        score_at: makes what an operating point gives, and scores it; and is told to encode anew for this point, where
            else it may take what was encoded for another of the same quality.
        refines: whether codes are better where they are encoded for their point.

    Raises:
        TargetError: no place reaches the score; it says how near the best comes.
    """
    search, close = _Search(model, score_at, refines=refines), _CLOSE[metric]
    search.try_at(float(model.default_quality))
    for number in range(_TRIALS):
        if any(wanted <= trial.score <= wanted + close for trial in search.trials):
            break
        place = search.next_place(wanted, wanted + close / 2, halve=number % 4 == 3)
        if place is None:
            break
        search.try_at(place)
    reaching = [t for t in search.trials if t.score >= wanted] or [t for t in search.all if t.score >= wanted]
    if not reaching:
        best = max(trial.score for trial in search.all)
        raise TargetError(out_of_reach(metric, wanted, best, f"the model {name}"))
    return min(reaching, key=_place)


def _place(trial: Trial[Made]) -> float:
    return trial.place


class _Search(Generic[Made]):
    """The trials of a search, and what is encoded.

    trials: those that can be compared: of a quality that was encoded anew the earlier ones are left out.
    quality, aimed: what is encoded, and for which place.
    is_between: whether a place that misses the score is known, and one that reaches it.
    settled: the quality that all further places are of; 0 at first.
    """

    def __init__(
        self, model: CodecModel, score_at: Callable[[OperatingPoint, bool], tuple[Made, float]], *, refines: bool
    ) -> None:
        self.qualities, self.score_at, self.refines = model.qualities, score_at, refines
        self.trials, self.all = list[Trial[Made]](), list[Trial[Made]]()
        self.quality, self.aimed, self.is_between, self.settled = 0, 0.0, False, 0
        log_step = math.log(_STEP)
        self.ends = 1 - math.log(_ENDS[0]) / log_step, self.qualities - math.log(_ENDS[1]) / log_step

    def try_at(self, place: float) -> None:
        """Try a place with what is encoded, or with what is encoded for it."""
        nearest = min(max(round(place), 1), self.qualities)
        if 0 < self.settled < min(place - _MOST, self.qualities):
            self.settled, place = self.settled + 1, min(place, self.settled + 1)
        quality = self.settled or (nearest if abs(place - self.quality) > _STAYS else self.quality)
        anew = quality != self.quality
        if self.refines and self.is_between and not (anew or self.settled) and abs(place - self.aimed) > _NEAR:
            anew, self.settled = True, quality
        if anew:
            self.quality, self.aimed = quality, place
            self.trials = [] if self.settled else [t for t in self.trials if t.point.quality != quality]
        point = OperatingPoint(quality, _STEP ** (quality - place))
        trial = Trial(place, point, *self.score_at(point, anew))
        self.trials.append(trial)
        self.all.append(trial)

    def next_place(self, wanted: float, aim: float, *, halve: bool) -> float | None:
        """Where a straight line through two scores meets the one to aim at; None when no place is left to try.

        Now and then it is the middle of two, as the line may be bent.
        """
        below, above = self._around(wanted)
        if above and below and above.point.quality != below.point.quality and above.place - below.place < _GAP:
            self.settled = above.point.quality  # at a higher price it reaches less; the other may have no more to give
            self.trials = [trial for trial in self.trials if trial.point.quality == self.settled]
            return above.place - _GAP / 2
        self.is_between = above is not None and below is not None
        if above is None or below is None:
            return self._beyond(aim, rises=above is None)
        if above.place - below.place <= _CLOSEST:
            return None
        share = 0.5 if halve else (aim - below.score) / (above.score - below.score)
        return below.place + min(max(share, 0.1), 0.9) * (above.place - below.place)

    def _around(self, wanted: float) -> tuple[Trial[Made] | None, Trial[Made] | None]:
        """The highest place that misses the score, and the lowest that reaches it."""
        misses = [trial for trial in self.trials if trial.score < wanted]
        reaching = [trial for trial in self.trials if trial.score >= wanted]
        highest, lowest = max(misses, key=_place, default=None), min(reaching, key=_place, default=None)
        if highest and lowest and highest.place >= lowest.place and highest.point.quality == lowest.point.quality:
            highest = max((trial for trial in misses if trial.place < lowest.place), key=_place, default=None)
        return highest, lowest

    def _beyond(self, aim: float, *, rises: bool) -> float | None:
        """The same outside of all trials."""
        last, *others = sorted(self.trials, key=_place, reverse=rises)
        end = self.ends[rises]
        if last.place == end:
            return None
        step = 0.5  # which tells how steep the scores are, and takes no other quality
        if others and others[0].place != last.place:
            slope = (last.score - others[0].score) / (last.place - others[0].place)
            step = (aim - last.score) / slope if slope > 0 else 1.0
        step = min(max(abs(step), 0.1), _FARTHEST)
        return min(last.place + step, end) if rises else max(last.place - step, end)


def out_of_reach(metric: str, wanted: float, best: float, name: str) -> str:
    """That the score wanted is not reached, but only the best."""
    unit, label, decimals = METRICS[metric].unit, METRICS[metric].label, METRICS[metric].decimals
    asked, found = f"{wanted:g} {unit}".strip(), f"{best:.{decimals}f} {unit}".strip()
    return f"{label} {asked} is out of reach: the best that {name} comes to here is {found}"
