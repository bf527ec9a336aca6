"""The charts of the page: rates and scores, training, codes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vqc.drawing.curves import Panel, running_mean
from vqc.drawing.runs import Curve as RunCurve
from vqc.drawing.runs import loss_panels, perplexity_panels
from vqc.drawing.scales import Kind, scale_for, suits
from vqc.drawing.svg import Series, Spot, chart
from vqc.evaluation.report.markup import escape
from vqc.evaluation.report.verdict import MAIN
from vqc.evaluation.result_tables import estimate, keys_of, label, name, number
from vqc.evaluation.results import Curve, Evaluation, Point, QualityResult
from vqc.metrics.catalogue import METRICS

BEYOND = 1.3  # so much further than what was measured do the charts reach
COLOURS = 6  # classes s1 … of the style sheet for measured codecs, over and over; s0 is the model


def styles(curves: Sequence[Curve]) -> list[str]:
    """Classes of the curves: the model thick, what was measured in colours, what is published grey and dashed."""
    found, measured, published = [], 0, 0
    for curve in curves:
        if curve.origin == "vqc":
            found.append("s0 thick")
        elif curve.origin == "measured":
            found.append(f"s{measured % COLOURS + 1}")
            measured += 1
        else:
            found.append(f"published p{published % 3}")
            published += 1
    return found


def rate_charts(evaluation: Evaluation) -> list[str]:
    """One figure for each metric, the most telling first."""
    keys = keys_of(evaluation.curves)
    return [_rate_chart(evaluation, key) for key in sorted(keys, key=lambda key: key not in MAIN)]


def history_charts(evaluation: Evaluation) -> list[str]:
    """Losses and perplexity of the training run; none when the model file has no history."""
    history = evaluation.info.get("history") or {}
    curves = {key: RunCurve(*map(list, zip(*points, strict=True))) for key, points in history.items() if points}
    return [_panel_chart(panel) for panel in (*loss_panels(curves), *perplexity_panels(curves)) if panel.lines]


def code_charts(evaluation: Evaluation) -> list[str]:
    """Rank and frequency of the codes, at up to three qualities."""
    results = evaluation.qualities
    chosen = results if len(results) <= 3 else [results[0], results[len(results) // 2], results[-1]]
    return [drawn for result in chosen if (drawn := _code_chart(result))]


def figure(drawn: str, caption: str) -> str:
    """A chart below its headline."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>"


def _rate_chart(evaluation: Evaluation, key: str) -> str:
    series, unit, (least, most) = [], evaluation.rate_unit, _shown_rates(evaluation)
    for curve, style in zip(evaluation.curves, styles(evaluation.curves), strict=True):
        spots = [
            Spot(point.rate, value.mean, _tip(curve, point, key, unit), value.half_width)
            for point in curve.points
            if (value := point.scores.get(key)) is not None and least <= point.rate <= most and point.rate > 0
        ]
        if spots:
            series.append(Series(curve.label, spots, style))
    heights = [spot.y for one in series for spot in one.spots]
    kind: Kind = "below one" if key == "ms_ssim" else "log" if suits(heights) == "log" and _lower(key) else "linear"
    drawn = chart(
        series,
        scale_for([spot.x for one in series for spot in one.spots], "log"),
        scale_for(heights, kind),
        f"rate in {unit}",
        f"{label(key)} over rate of {', '.join(one.label for one in series)}",
    )
    return figure(drawn, f"{label(key)}{' (lower is better)' if _lower(key) else ''}")


def _tip(curve: Curve, point: Point, key: str, unit: str) -> str:
    """Describe a point: "AVIF, q3: 0.253 bpp, PSNR 31.20 ± 0.80 dB"."""
    of_metric = METRICS[key].unit if key in METRICS else ""
    value = f"{name(key)} {estimate(key, point.scores[key])} {of_metric}".strip()
    return f"{curve.label}, {point.setting}: {number(point.rate)} {unit}, {value}"


def _panel_chart(panel: Panel) -> str:
    series = []
    for line in panel.lines:
        style = {"training": "s1", "validation": "s0"}.get(line.label, "s2")
        y = running_mean(line.y) if line.noisy else line.y
        last = f"{line.label} {number(y[-1])}"
        series.append(Series(last, [Spot(*at) for at in zip(line.x, y, strict=True)], style, dots=not line.noisy))
    heights = [spot.y for one in series for spot in one.spots]
    level = panel.level[0] if panel.level else None
    if level is not None:
        heights.append(level)
    steps = [spot.x for one in series for spot in one.spots]
    y_scale = scale_for([0, *heights] if panel.from_zero else heights, "linear" if panel.from_zero else suits(heights))
    title = panel.title + (f" (dashed: {panel.level[1]})" if panel.level else "")
    drawn = chart(series, scale_for([0, *steps], "linear", margin=0.0, most=5), y_scale, "step", title, level)
    return figure(drawn, title)


def _code_chart(result: QualityResult) -> str:
    series = []
    for i, maps in enumerate(result.maps[: COLOURS + 1]):
        total = max(1, int(maps.histogram.sum()))
        ranks = sorted({round(1.12**n) for n in range(120) if 1.12**n <= len(maps.histogram)})
        spots = [Spot(rank, int(maps.histogram[rank - 1]) / total) for rank in ranks if maps.histogram[rank - 1]]
        if spots:
            series.append(Series(maps.label.partition(" (")[0], spots, f"s{i}", dots=False))
    if not series:
        return ""
    x = scale_for([spot.x for one in series for spot in one.spots], "log")
    y = scale_for([spot.y for one in series for spot in one.spots], "log")
    title = f"q{result.quality}: share of the codes"
    return figure(chart(series, x, y, "rank of the code", title), title)


def _shown_rates(evaluation: Evaluation) -> tuple[float, float]:
    """The rates of lossy codecs that were measured, and a bit more: tables go far beyond them, lossless codecs too."""
    rates = [
        point.rate
        for curve in evaluation.curves
        for point in curve.points
        if curve.origin != "published" and point.rate > 0 and (point.scores.get("mse", (1.0,))[0] > 0)
    ]
    return (min(rates) / BEYOND, max(rates) * BEYOND) if rates else (0.0, math.inf)


def _lower(key: str) -> bool:
    return key in METRICS and METRICS[key].better == "lower"
