"""Verdict on the model at one look: bits for the same score, and scores at the same size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vqc.evaluation.report.markup import escape
from vqc.evaluation.result_tables import ABSENT, keys_of, label, name, number, score, signed_percent
from vqc.evaluation.results import Curve, Evaluation, Point
from vqc.metrics.catalogue import METRICS

MAIN = ("psnr", "ms_ssim", "pesq_wb", "stoi")  # what codecs are usually compared by
EVEN = 2.0  # percent: closer than that is about the same
WIDEST = 2.0  # doublings of the rate that fill half of a bar
LEGEND = '<div class="row ends"><span></span><span>← fewer: better <i>more: worse →</i></span><span></span></div>'
SLACK = 1.03  # a curve is taken to reach so much beyond its ends


def main_metrics(evaluation: Evaluation) -> list[str]:
    """Up to two metrics that say most, of those that were measured."""
    found = keys_of(evaluation.curves)
    return ([key for key in MAIN if key in found] or found)[:2]


def headline(evaluation: Evaluation) -> str:
    """The outcome in a sentence or two."""
    own, keys = evaluation.curves[0], main_metrics(evaluation)
    if not keys or not own.points:
        return "Nothing was measured."
    rates = evaluation.bd_rates.get(keys[0], {})
    measured = [curve for curve in evaluation.curves if curve.origin == "measured"]
    sides: dict[str, list[str]] = {"fewer bits than": [], "about as many bits as": [], "more bits than": []}
    for curve in measured:
        if curve.codec in rates:
            percent = rates[curve.codec]
            side = "fewer" if percent < -EVEN else "more" if percent > EVEN else "about as many"
            words = f"{curve.label} ({signed_percent(percent)})"
            next(of for name_, of in sides.items() if name_.startswith(side)).append(words)
    parts = [f"{words} {_list(codecs)}" for words, codecs in sides.items() if codecs]
    below = [curve.label for curve in measured if apart(own, curve, keys[0]) == "worse"]
    reach = _reach(evaluation, own, keys[0])
    said = [f"For the same {name(keys[0])}, {own.label} takes {', '.join(parts)}."] if parts else []
    said += [f"{_list(below)} never reach{'es' * (len(below) == 1)} its {name(keys[0])}."] if below else []
    return " ".join([*said, reach])


def bars(evaluation: Evaluation) -> str:
    """Bjøntegaard rates: to the left what the model saves, to the right what it takes more."""
    keys = [key for key in MAIN if evaluation.bd_rates.get(key)] or list(evaluation.bd_rates)
    blocks = []
    for key in keys[:2]:
        rows = [
            _bar(curve, evaluation.bd_rates[key].get(curve.codec), apart(evaluation.curves[0], curve, key))
            for curve in _one_each(evaluation.curves[1:])
            if any(key in point.scores for point in curve.points)
        ]
        title = f"<h3>Bits for the same {escape(name(key))}</h3>"
        blocks.append(f'<div class="bars">{title}{"".join(rows)}{LEGEND}</div>')
    return f'<div class="panels">{"".join(blocks)}</div>' if blocks else ""


def maps(evaluation: Evaluation) -> str:
    """Draw how much better or worse each codec's score is at the size of the model's files, by quality."""
    own = evaluation.curves[0]
    others = [curve for curve in evaluation.curves[1:] if any(score_at(curve, k, p.rate) is not None
              for k in main_metrics(evaluation) for p in own.points)]  # fmt: skip
    if not others:
        return ""
    return f'<div class="maps">{"".join(_map(evaluation, own, others, key) for key in main_metrics(evaluation))}</div>'


def score_at(curve: Curve, key: str, rate: float) -> float | None:
    """The mean score at a rate, on the line between neighbouring points over log rate; None outside of the curve."""
    points = [point for point in curve.points if key in point.scores and point.rate > 0]
    if not points or not points[0].rate / SLACK <= rate <= points[-1].rate * SLACK:
        return None
    rates = [math.log(point.rate) for point in points]
    return float(np.interp(math.log(rate), rates, [point.scores[key].mean for point in points]))


def _reach(evaluation: Evaluation, own: Curve, key: str) -> str:
    points = [point for point in own.points if key in point.scores]
    if not points:
        return ""
    ends = [points[0], points[-1]] if len(points) > 1 else points
    said = [f"{score(key, p.scores[key].mean)} {METRICS[key].unit if key in METRICS else ''}".strip() for p in ends]
    rates = [number(point.rate) for point in ends]
    return f"{label(key).split(',')[0]} {' to '.join(said)} at {' to '.join(rates)} {evaluation.rate_unit}."


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _one_each(curves: Sequence[Curve]) -> list[Curve]:
    """The first curve of each codec: what was measured here comes before what is published."""
    found: dict[str, Curve] = {}
    for curve in curves:
        found.setdefault(curve.codec, curve)
    return list(found.values())


def apart(own: Curve, other: Curve, key: str) -> Literal["better", "worse", "overlapping"]:
    """Return whether even the best score of another codec is worse than all of the model's, or its worst one better."""
    ours, theirs = ([p.scores[key].mean for p in curve.points if key in p.scores] for curve in (own, other))
    if key in METRICS and METRICS[key].better == "lower":
        ours, theirs = [-score for score in ours], [-score for score in theirs]
    if not ours or not theirs:
        return "overlapping"
    return "worse" if max(theirs) < min(ours) else "better" if min(theirs) > max(ours) else "overlapping"


def _bar(curve: Curve, percent: float | None, scores: str) -> str:
    origin = ' <small class="faint">published</small>' if curve.origin == "published" else ""
    if percent is None:
        words = {"worse": ("win", "never as good"), "better": ("loss", "always better")}
        style, said = words.get(scores, ("faint", "no overlap"))
        verdict, bar = f'<span class="{style}">{said}</span>', ""
    else:
        share = min(1.0, abs(math.log2(max(1 + percent / 100, 1e-6))) / WIDEST)
        side = "even" if abs(percent) <= EVEN else "win" if percent < 0 else "loss"
        place = f"right:50%;width:{50 * share:.1f}%" if percent < 0 else f"left:50%;width:{50 * share:.1f}%"
        verdict, bar = f'<b class="{side}">{signed_percent(percent)}</b>', f'<i class="{side}" style="{place}"></i>'
    return (
        f'<div class="row"><span class="who">{escape(curve.label)}{origin}</span>'
        f'<span class="track">{bar}</span><span class="much">{verdict}</span></div>'
    )


def _map(evaluation: Evaluation, own: Curve, others: Sequence[Curve], key: str) -> str:
    points = [point for point in own.points if key in point.scores]
    differences = [[_difference(point, curve, key) for point in points] for curve in others]
    largest = max((abs(d) for row in differences for d in row if d is not None), default=0.0) or 1.0
    head = "".join(
        f'<th scope="col">{number(point.rate)}<small>{escape(point.setting)}</small></th>' for point in points
    )
    own_row = "".join(f"<td>{score(key, point.scores[key].mean)}</td>" for point in points)
    rows = [f'<tr class="own"><th scope="row">{escape(own.label)}</th>{own_row}</tr>']
    for curve, row in zip(others, differences, strict=True):
        if any(difference is not None for difference in row):
            origin = ' <small class="faint">published</small>' if curve.origin == "published" else ""
            cells = "".join(_cell(key, difference, largest) for difference in row)
            rows.append(f'<tr><th scope="row">against {escape(curve.label)}{origin}</th>{cells}</tr>')
    title = f"{label(key)} at the same size"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}"><table class="map">'
        f"<caption>{escape(title)} <small>+ {escape(own.label)} is better, − it is worse</small></caption>"
        f'<thead><tr><th scope="col">{evaluation.rate_unit}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _difference(point: Point, curve: Curve, key: str) -> float | None:
    """Positive where the model is better."""
    other = score_at(curve, key, point.rate)
    if other is None:
        return None
    difference = point.scores[key].mean - other
    return -difference if key in METRICS and METRICS[key].better == "lower" else difference


def _cell(key: str, difference: float | None, largest: float) -> str:
    if difference is None:
        return f'<td class="faint">{ABSENT}</td>'
    strength = round(12 + 58 * min(1.0, abs(difference) / largest))
    said = f"{difference:+.{METRICS[key].decimals if key in METRICS else 3}f}".replace("-", "−")
    if not said.strip("+−0."):  # no difference that would show
        return f"<td>{said[1:]}</td>"
    return f'<td class="{"win" if difference > 0 else "loss"}" style="--s:{strength}%">{said}</td>'
