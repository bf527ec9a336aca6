"""The curves of other codecs beside the model's, and how far it is from them on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vqc.evaluation.baselines import baseline_named
from vqc.evaluation.results import Curve, FileScore
from vqc.evaluation.score_curves import curve_of
from vqc.metrics.bjontegaard import bd_rate
from vqc.metrics.catalogue import METRICS

BD_METRICS = ("psnr", "ms_ssim", "pesq_wb", "stoi")


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
