"""Curves of codecs: means of scores over the files, and how far the model is from other codecs on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vqc.evaluation.baselines import baseline_named
from vqc.evaluation.results import Curve, Estimate, FileScore, Origin, Point
from vqc.metrics.bjontegaard import bd_rate
from vqc.metrics.catalogue import METRICS
from vqc.metrics.intervals import estimate_mean

BD_METRICS = ("psnr", "ms_ssim", "pesq_wb", "stoi")


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


def baseline_curves(scores: Sequence[FileScore], names: Sequence[str], files: int) -> list[Curve]:
    """The codecs that were measured in this run, in the order in which they were asked for."""
    curves = []
    for name in names:
        baseline, own = baseline_named(name), [score for score in scores if score.codec == name]
        curves.append(curve_of(name, baseline.label, "measured", baseline.version(), own, files))
    return curves


def bd_rates(curves: Sequence[Curve]) -> Mapping[str, Mapping[str, float]]:
    """Bjøntegaard rate of the first curve against the others, in percent by metric and codec; negative is better."""
    own, *others = curves
    found: dict[str, dict[str, float]] = {}
    for metric in BD_METRICS:
        assert METRICS[metric].better == "higher", "or its sign would have to be turned"
        for other in others:
            rate = bd_rate(*_points(other, metric), *_points(own, metric))
            if rate is not None:
                found.setdefault(metric, {})[other.codec] = rate
    return found


def _points(curve: Curve, metric: str) -> tuple[list[float], list[float]]:
    """Rates and means of the points that have this metric."""
    points = [point for point in curve.points if metric in point.scores]
    return [point.rate for point in points], [point.scores[metric].mean for point in points]


def _point(setting: str, rows: Sequence[FileScore]) -> Point:
    metrics = dict.fromkeys(metric for row in rows for metric in row.scores)
    return Point(
        setting=setting,
        rate=sum(row.rate for row in rows) / len(rows),
        files=len(rows),
        scores={m: Estimate(*estimate_mean([row.scores[m] for row in rows if m in row.scores])) for m in metrics},
    )
