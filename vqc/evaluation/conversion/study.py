"""Conversions before the judges, beside what bounds them: the source, baselines, the target's own recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from vqc.errors import MediaError
from vqc.evaluation.conversion.baselines import Transport, Warping
from vqc.evaluation.conversion.judges import Clip, Panel
from vqc.evaluation.conversion.scores import Hearing, Scores
from vqc.evaluation.conversion.trials import Trial, read_clip
from vqc.metrics.intervals import Interval, estimate_mean, estimate_share

SOURCE, WARPED, MAPPED = "source unchanged", "pitch and one warp", "pitch and linear map"
RESTORED, CONVERTED, TARGET = "restored as it was", "converted", "target's own recording"

Progress = Callable[[float], None]
Keep = Callable[[Trial, str, Clip], None]


class Converter(Protocol):
    """A model that may be able to convert; clips are [T] at 16 kHz and as long afterwards as before."""

    @property
    def converts(self) -> bool:
        """Whether it can."""

    def restore(self, clip: Clip) -> Clip:
        """Through the model's codes and back, in the voice that it has."""

    def convert(self, trial: Trial, clip: Clip) -> Clip:
        """In the voice of a trial's target."""


class Row(NamedTuple):
    """One way to make clips of the trials, and what was said of each; None where there was no clip."""

    name: str
    scores: tuple[Scores, ...]

    def of(self, field: str) -> list[Any]:
        """The values of a field that are known."""
        return [value for each in self.scores if (value := getattr(each, field)) is not None]

    def mean(self, field: str) -> Interval | None:
        """Mean of a field over the trials in which it is known."""
        values = self.of(field)
        return estimate_mean(values) if values else None


@dataclass(frozen=True, kw_only=True)
class ConversionStudy:
    """What is found of conversions."""

    rows: tuple[Row, ...]
    trials: tuple[Trial, ...]  # that were judged
    left_out: tuple[str, ...]  # a sentence for each judge that is not here and each trial that was refused

    def row(self, name: str) -> Row | None:
        """The row of a name, if there is one."""
        return next((row for row in self.rows if row.name == name), None)

    def above_restored(self, row: Row) -> Interval | None:
        """How much larger its share of phone errors is than that of the same recordings restored as they were."""
        return self._difference(row, self.row(RESTORED), "phone_errors")

    def above_strangers(self, row: Row) -> Interval | None:
        """How much more it sounds like the target than the source does, which is of somebody else."""
        return self._difference(row, self.row(SOURCE), "to_target")

    def _difference(self, row: Row, other: Row | None, field: str) -> Interval | None:
        """Mean of the differences within trials."""
        if other is None:
            return None
        pairs = [(getattr(a, field), getattr(b, field)) for a, b in zip(row.scores, other.scores, strict=True)]
        known = [first - second for first, second in pairs if first is not None and second is not None]
        return estimate_mean(known) if known else None

    def as_json(self) -> dict[str, Any]:
        """All of it, each trial by itself too."""
        return {
            "conversions": len(self.trials),
            "left_out": list(self.left_out),
            "rows": [self._summary(row) for row in self.rows],
            "trials": [
                {
                    "source": trial.source.name,
                    "speaker": trial.speaker,
                    "target": trial.target.speaker,
                    "scores": {row.name: row.scores[number]._asdict() for row in self.rows},
                }
                for number, trial in enumerate(self.trials)
            ],
        }

    def _summary(self, row: Row) -> dict[str, Any]:
        means = {field: row.mean(field) for field in Scores._fields if field != "nearer"}
        means |= {"above_restored": self.above_restored(row), "above_strangers": self.above_strangers(row)}
        found: dict[str, Any] = {name: value and value._asdict() for name, value in means.items()}
        nearer = row.of("nearer")
        return {"name": row.name, "nearer": estimate_share(nearer)._asdict() if nearer else None, **found}


def study_conversion(
    trials: Sequence[Trial], panel: Panel, model: Converter | None, *, progress: Progress, keep: Keep | None = None
) -> ConversionStudy:
    """Make the clips of all trials in every way there is, and have them judged. A trial that is refused is left out.

    Args:
        model: what is studied; without one the baselines stand alone.
        progress: called with the share that is done.
        keep: called with each clip that was made, and the name of its row.

    Raises:
        MediaError: all are refused.
    """
    hearing, ways = Hearing(panel), list(_ways(model))
    found, judged, refused = dict[str, list[Scores]](), list[Trial](), list[str]()
    for number, trial in enumerate(trials):
        try:
            clips = [(name, make(trial)) for name, make in ways]
        except MediaError as error:
            refused.append(f"left out: {trial.source.name} in the voice of {trial.target.speaker}: {error}")
            continue
        judged.append(trial)
        for place, (name, clip) in enumerate(clips):
            if keep:
                keep(trial, name, clip)
            found.setdefault(name, []).append(hearing.judge(clip, trial))
            progress((number + place / (len(ways) + 1)) / len(trials))
        found.setdefault(TARGET, []).append(_target(hearing, trial))
    if not judged:
        raise MediaError(f"none of the {len(trials)} conversions could be made; {refused[0]}")
    rows = tuple(Row(name, tuple(scores)) for name, scores in found.items())
    return ConversionStudy(rows=rows, trials=tuple(judged), left_out=(*panel.left_out, *refused))


def _ways(model: Converter | None) -> Iterator[tuple[str, Callable[[Trial], Clip]]]:
    """In the order of the table."""
    warping, transport = Warping(), Transport()
    yield SOURCE, lambda trial: read_clip(trial.source)
    yield WARPED, lambda trial: warping(read_clip(trial.source), trial.target.reference)
    yield MAPPED, lambda trial: transport(read_clip(trial.source), trial.target.reference)
    if model is not None:
        yield RESTORED, lambda trial: model.restore(read_clip(trial.source))
    if model is not None and model.converts:
        yield CONVERTED, lambda trial: model.convert(trial, read_clip(trial.source))


def _target(hearing: Hearing, trial: Trial) -> Scores:
    """Of one recording of the target before judges who know the others; none where there is just one."""
    first, *others = trial.target.others
    if not others:
        return Scores()
    return hearing.judge(read_clip(first), trial, others=tuple(others), same_words=False)
