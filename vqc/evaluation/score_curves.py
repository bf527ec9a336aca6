"""Scores of files to curves: means over the files, one point for each setting of a codec."""

from __future__ import annotations

from collections.abc import Sequence

from vqc.evaluation.results import Curve, Estimate, FileScore, Origin, Point
from vqc.metrics.intervals import estimate_mean


def curve_of(codec: str, label: str, origin: Origin, source: str, scores: Sequence[FileScore], files: int) -> Curve:
    """The curve of one codec, by rising rate.

    A setting that does not have all `files` is left out: a mean over other files cannot be compared.
    """
    settings: dict[str, list[FileScore]] = {}
    for score in scores:
        settings.setdefault(score.setting, []).append(score)
    points = [_point(setting, rows) for setting, rows in settings.items() if len(rows) == files]
    return Curve(
        codec=codec,
        label=label,
        origin=origin,
        source=source,
        points=tuple(sorted(points, key=lambda point: point.rate)),
    )


def _point(setting: str, rows: Sequence[FileScore]) -> Point:
    metrics = dict.fromkeys(metric for row in rows for metric in row.scores)
    return Point(
        setting=setting,
        rate=sum(row.rate for row in rows) / len(rows),
        files=len(rows),
        scores={m: Estimate(*estimate_mean([row.scores[m] for row in rows if m in row.scores])) for m in metrics},
    )
