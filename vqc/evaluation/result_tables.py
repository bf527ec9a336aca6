"""An evaluation as tables for people, as JSON and as CSV.

A table is strings, ready to print: the caller decides how columns are set.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vqc.atomic import write_atomically
from vqc.evaluation.results import Curve, Estimate, Evaluation, QualityResult
from vqc.metrics.catalogue import METRICS

ABSENT = "–"


class Table(NamedTuple):
    """Headers and rows of equal length."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1  # this number of columns are text, set to the left; the others are numbers


def tables(evaluation: Evaluation) -> list[Table]:
    """Every table that has something to say, in the order in which people read them."""
    made = [curve_table(evaluation), bd_table(evaluation), rate_table(evaluation), code_table(evaluation)]
    return [table for table in made if table.rows]


def overview(evaluations: Sequence[Evaluation]) -> Table:
    """Several models in one table, a line for each quality."""
    rows = []
    for evaluation in evaluations:
        points = {point.setting: point for curve in evaluation.curves[:1] for point in curve.points}
        for result in evaluation.qualities:
            point = points.get(f"q{result.quality}")
            scores = point.scores if point else {}
            rows.append(
                (
                    evaluation.model,
                    f"q{result.quality}",
                    f"{number(point.rate if point else None)} {evaluation.rate_unit}",
                    *(score(key, scores[key].mean if key in scores else None) for key in ("mse", "psnr")),
                    *(number(bpd, 4) for bpd in (result.rate_bpd, result.ideal_bpd, result.total_bpd)),
                    number(result.seconds),
                )
            )
    headers = ("model", "quality", "rate", "MSE", "PSNR, dB", "rate_bpd", "ideal_bpd", "total_bpd", "seconds")
    return Table("The bundled samples", headers, tuple(rows), left=2)


def curve_table(evaluation: Evaluation, *, published: bool = True) -> Table:
    """Rate and scores of every codec at every setting, means over the files with their 95 % intervals."""
    curves = [curve for curve in evaluation.curves if published or curve.origin != "published"]
    keys = keys_of(curves)
    rows = [
        (
            curve.label + (" (published)" if curve.origin == "published" else ""),
            point.setting,
            number(point.rate),
            str(point.files) if point.files else ABSENT,
            *(estimate(key, point.scores.get(key)) for key in keys),
        )
        for curve in curves
        for point in curve.points
    ]
    headers = ("codec", "setting", evaluation.rate_unit, "files", *map(label, keys))
    return Table(f"Rate and scores on {evaluation.data}", headers, tuple(rows), left=2)


def bd_table(evaluation: Evaluation) -> Table:
    """Return how many percent more (+) or fewer (−) bits the model takes than each codec for the same score."""
    keys = [key for key in METRICS if evaluation.bd_rates.get(key)]
    codecs = dict.fromkeys(codec for key in keys for codec in evaluation.bd_rates[key])
    labels = {curve.codec: curve.label for curve in reversed(evaluation.curves)}
    rows = [
        (labels.get(codec, codec), *(signed_percent(evaluation.bd_rates[key].get(codec)) for key in keys))
        for codec in codecs
    ]
    title = f"Bjøntegaard rate of {evaluation.model}: percent more (+) or fewer (−) bits for the same score"
    return Table(title, ("against", *map(name, keys)), tuple(rows))


def rate_table(evaluation: Evaluation) -> Table:
    """Bits per dimension: of files, of codes under the prior, and of the whole signal."""
    whole = any(result.total_bpd is not None for result in evaluation.qualities)
    headers = ["quality", evaluation.rate_unit, "rate_bpd", "ideal_bpd", *(["total_bpd"] if whole else []), "s / file"]
    own = _own_rates(evaluation)
    rows = []
    for result in evaluation.qualities:
        row = [f"q{result.quality}", number(own.get(f"q{result.quality}")), number(result.rate_bpd, 4)]
        row += [number(result.ideal_bpd, 4), *([number(result.total_bpd, 4)] if whole else [])]
        rows.append((*row, number(result.seconds / max(1, _timed(evaluation, result)))))
    return Table("Bits per dimension", tuple(headers), tuple(rows))


def code_table(evaluation: Evaluation) -> Table:
    """Return how the codebooks are used, by quality and kind of code map."""
    rows = [
        (
            f"q{result.quality}",
            maps.label,
            f"{maps.codes:,}",
            f"{maps.codebook_size:,}",
            number(maps.bits_per_code),
            number(maps.perplexity),
            f"{100 * maps.fraction_used:.0f} %",
        )
        for result in evaluation.qualities
        for maps in result.maps
    ]
    headers = ("quality", "code maps", "codes", "codebook", "bits / code", "perplexity", "in use")
    return Table("Codes", headers, tuple(rows), left=2)


def keys_of(curves: Iterable[Curve]) -> list[str]:
    """The metrics that any of the curves has, in the order of the catalogue."""
    found = {key for curve in curves for point in curve.points for key in point.scores}
    return [*(key for key in METRICS if key in found), *sorted(found - set(METRICS))]


def name(key: str) -> str:
    """A metric for people, without its unit."""
    return METRICS[key].label if key in METRICS else key


def label(key: str) -> str:
    """A metric for people, with its unit: "PSNR, dB"."""
    unit = METRICS[key].unit if key in METRICS else ""
    return f"{name(key)}, {unit}" if unit else name(key)


def score(key: str, value: float | None) -> str:
    """A score with the decimals of its metric, more where two digits would not show."""
    return ABSENT if value is None else _fixed(value, _places(key, value))


def estimate(key: str, value: Estimate | None) -> str:
    """A mean with the half width of its interval, to the same place: "31.42 ± 0.84"."""
    if value is None:
        return ABSENT
    places = _places(key, value.mean)
    return _fixed(value.mean, places) + (f" ± {_fixed(value.half_width, places)}" if value.half_width else "")


def number(value: float | None, digits: int = 3) -> str:
    """Format with this count of significant digits: 0.0987, 1.58, 98.4, 12,345; powers of ten only below 0.0001."""
    if value is None:
        return ABSENT
    if abs(value) >= 10**digits - 0.5:
        text = f"{value:,.0f}"
    elif value and abs(value) < 1e-4:
        text = f"{value:.{digits - 1}e}"
    else:
        text = f"{value:#.{digits}g}".removesuffix(".")
    return text.replace("-", "−")


def signed_percent(value: float | None) -> str:
    """A change: "+12.3 %", "−41.0 %"."""
    return ABSENT if value is None else f"{value:+.1f} %".replace("-", "−")


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the files and examples, in types that JSON has."""
    return fields_of(evaluation, "model digest media data dimensions rate_unit") | {
        "curves": [curve_as_json(curve) for curve in evaluation.curves],
        "bd_rates": {metric: dict(by_codec) for metric, by_codec in evaluation.bd_rates.items()},
        "qualities": [_quality_as_json(result) for result in evaluation.qualities],
        "notes": list(evaluation.notes),
    }


def write_csv(evaluation: Evaluation, path: Path, *, overwrite: bool = False) -> None:
    """A line for every file, codec and setting; OutputError when the file cannot be written."""
    keys = list(dict.fromkeys(key for file in evaluation.files for key in file.scores))
    keys.sort(key=lambda key: list(METRICS).index(key) if key in METRICS else len(METRICS))
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["file", "codec", "setting", "bytes", evaluation.rate_unit, *keys])
    for file in evaluation.files:
        scores = (_exact(file.scores.get(key)) for key in keys)
        # A file that was not written whole has no size.
        size = [file.bytes, _exact(file.rate)] if file.bytes else ["", ""]
        lines.writerow([file.item, file.codec, file.setting, *size, *scores])
    write_atomically(path, text.getvalue().encode(), overwrite=overwrite)


def _places(key: str, value: float) -> int:
    decimals = METRICS[key].decimals if key in METRICS else 3
    size = math.floor(math.log10(abs(value))) if value else 0  # −3 of 0.00251
    return decimals if size > -decimals else 2 - size


def _fixed(value: float, places: int) -> str:
    return f"{value:,.{places}f}".replace("-", "−")


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def _own_rates(evaluation: Evaluation) -> Mapping[str, float]:
    return {point.setting: point.rate for curve in evaluation.curves[:1] for point in curve.points}


def _timed(evaluation: Evaluation, result: QualityResult) -> int:
    """Files whose time is in the sum: also those that were not written whole."""
    setting = f"q{result.quality}"
    return sum(file.codec == "vqc" and file.setting == setting for file in evaluation.files)


def curve_as_json(curve: Curve) -> dict[str, Any]:
    """Return a curve in types that JSON has."""
    points = [
        fields_of(point, "setting rate files")
        | {"scores": {key: {"mean": mean, "half_width": width} for key, (mean, width) in point.scores.items()}}
        for point in curve.points
    ]
    return fields_of(curve, "codec label origin source") | {"points": points}


def _quality_as_json(result: QualityResult) -> dict[str, Any]:
    maps = [fields_of(maps, "label codes codebook_size bits_per_code perplexity fraction_used") for maps in result.maps]
    return fields_of(result, "quality files seconds rate_bpd ideal_bpd total_bpd") | {"maps": maps}


def fields_of(record: object, names: str) -> dict[str, Any]:
    """Return attributes by their names, which have spaces between."""
    return {name: getattr(record, name) for name in names.split()}
