"""Other codecs on the items that a model was measured on, at the sizes of the model's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from vqc.evaluation.items import Item
from vqc.evaluation.results import FileScore, Version

Targets = Mapping[int, int]  # quality of the model → bytes of its file


@dataclass(kw_only=True)
class RivalScores:
    """What other codecs made of items.

    scores: of a codec at the size of the model's file at quality 5 with the setting "q5"; of settings that every item is
        measured at, and of lossless codecs, with their own setting, such as "6 kbps".
    versions: the restored signals that were asked for, by name of the item, codec and quality.
    notes: a sentence for each codec that is not here, or could not match a size.
    """

    scores: list[FileScore] = field(default_factory=list)
    versions: dict[tuple[str, str, int], Version] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure_rivals(
    items: Sequence[Item],
    names: Sequence[str],
    targets: Mapping[str, Targets],
    wanted: Collection[str],
    *,
    jobs: int = 1,
    show: Mapping[str, Collection[int]] | None = None,
) -> RivalScores:
    """Scores of every item through every codec.

    Args:
        names: of codecs, see `vqc.evaluation.rivals.registry`.
        targets: by name of the item.
        wanted: keys of metrics.
        jobs: processes; with 1 everything is done in this one.
        show: qualities at which the restored signals are kept, by name of the item.
    """
    raise NotImplementedError
