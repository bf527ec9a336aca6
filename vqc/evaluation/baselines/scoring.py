"""Other codecs on the items that a model was measured on, at the sizes of the model's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from vqc.errors import MediaError
from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.baselines.selection import baseline_named
from vqc.evaluation.baselines.size_matching import TOLERANCE, Encodings
from vqc.evaluation.items import Item
from vqc.evaluation.results import FileScore, Version
from vqc.metrics.scores import score

Targets = Mapping[int, int]  # quality of the model → bytes of its file


@dataclass(kw_only=True)
class BaselineScores:
    """Scores of other codecs on items.

    scores: of a codec at the size of the model's file at quality 5 with the setting "q5"; of settings that every item
        is measured at, and of lossless codecs, with their own setting, such as "6 kbps".
    versions: the restored signals that were asked for, by name of the item, codec and quality.
    notes: a sentence for each codec that is not here, or that failed or could not match a size.
    """

    scores: list[FileScore] = field(default_factory=list)
    versions: dict[tuple[str, str, int], Version] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, other: BaselineScores) -> None:
        """Add those of another item; a note is kept once."""
        self.scores += other.scores
        self.versions |= other.versions
        self.notes += [note for note in other.notes if note not in self.notes]


def measure_item(
    item: Item, names: Sequence[str], targets: Targets, wanted: Collection[str], *, show: Collection[int] = ()
) -> BaselineScores:
    """Score an item through other codecs, which are here; one that fails is left out with a note.

    Args:
        names: of codecs, see `vqc.evaluation.baselines.selection`.
        targets: sizes to match, in bytes, by quality of the model.
        wanted: keys of metrics.
        show: qualities at which the restored signals are kept.
    """
    found = BaselineScores()
    for name in names:
        baseline = baseline_named(name)
        try:
            found.add(_measure(item, baseline, targets, wanted, show))
        except MediaError as error:
            found.notes.append(f"{baseline.label} is left out for {item.name}: {error}")
    return found


def _measure(
    item: Item, baseline: Baseline, targets: Targets, wanted: Collection[str], show: Collection[int]
) -> BaselineScores:
    """One item through one codec: at its fixed settings, then at the sizes of the model's files."""
    found, encodings = BaselineScores(), Encodings(baseline, item)
    done: dict[Setting, tuple[FileScore, NDArray[Any]]] = {}

    def scored(setting: Setting) -> tuple[FileScore, NDArray[Any]]:
        if setting not in done:
            done[setting] = score_encoding(item, baseline, setting, encodings.at(setting), wanted)
        return done[setting]

    found.scores += [scored(setting)[0] for setting in baseline.fixed]
    lossless = len(baseline.settings) == 1
    for quality, size in () if lossless else targets.items():
        setting = encodings.matching(size)
        if setting is None:
            continue
        score, restored = scored(setting)
        found.scores.append(replace(score, setting=f"q{quality}"))
        if quality in show:
            found.versions[item.name, baseline.name, quality] = Version(
                codec=baseline.name,
                label=baseline.label,
                setting=baseline.describe(setting),
                bytes=score.bytes,
                scores=score.scores,
                signal=restored,
            )
    return found


def score_encoding(
    item: Item, baseline: Baseline, setting: Setting, data: bytes, wanted: Collection[str]
) -> tuple[FileScore, NDArray[Any]]:
    """The scores of one file, and what it restores to."""
    restored = baseline.decode(data, item, setting)
    scores = score(item.signal, restored, item.sample_rate, wanted)
    rate = 8 * len(data) / item.units
    return (
        FileScore(
            item=item.name,
            codec=baseline.name,
            setting=baseline.describe(setting),
            bytes=len(data),
            rate=rate,
            scores=scores,
        ),
        restored,
    )


def unmatched(scores: Sequence[FileScore], names: Sequence[str], targets: Mapping[str, Targets]) -> list[str]:
    """A sentence for each codec which does not have the sizes of the model's files for all items."""
    found = {(score.codec, score.setting, score.item) for score in scores}
    notes = []
    for baseline in map(baseline_named, names):
        short: dict[int, int] = {}
        for item, sizes in targets.items() if len(baseline.settings) > 1 else ():
            for quality in sizes:
                if (baseline.name, f"q{quality}", item) not in found:
                    short[quality] = short.get(quality, 0) + 1
        if short:
            which = ", ".join(f"{quality} ({count} of {len(targets)})" for quality, count in sorted(short.items()))
            notes.append(
                f"{baseline.label} has no files within {TOLERANCE:.0%} of the size of ours at the qualities {which}"
            )
    return notes
