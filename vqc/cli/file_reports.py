"""Reports of compress and decompress: one line for one file, a table for several, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vqc.cli.batch import Outcome
from vqc.cli.bit_report import explanation_as_dict, print_explanation
from vqc.cli.console import duration, number, print_json, print_table, size, warn
from vqc.cli.inputs import STREAM
from vqc.data.formats import MEDIA

if TYPE_CHECKING:
    from vqc.codec.api import Report
    from vqc.codec.inspect.info import FileInfo


def report_outcomes(
    outcomes: Sequence[Outcome], notes: Sequence[str] = (), *, as_json: bool, quiet: bool, targeted: bool = False
) -> None:
    """Print the outcomes and what else is to be said, and ends the command.

    With `targeted` a size or a score was asked for.
    The exit code is 1 if anything has gone wrong, and 2 if nothing but wrong options has.
    """
    reports = [(outcome, outcome.report) for outcome in outcomes if outcome.report is not None]
    if as_json:
        print_json([as_dict(outcome) for outcome in outcomes])
    elif not quiet and len(outcomes) == 1 and reports:
        print(one_line(*reports[0]), file=sys.stderr if reports[0][0].target == STREAM else sys.stdout)
    elif not quiet and reports:
        print_reports(reports)
    if not quiet and not as_json:
        print_explanations(reports)
    for note in () if quiet else (*notes, *final_notes(outcomes, targeted=targeted)):
        warn(note)
    failed = {outcome.exit_code for outcome in outcomes if outcome.problem}
    if failed:
        raise typer.Exit(2 if failed == {2} and not reports else 1)


def final_notes(outcomes: Sequence[Outcome], *, targeted: bool = False) -> Iterator[str]:
    """Yield what to tell of results beside their figures: those that were there, and those that are no gain."""
    reports = [(outcome.name, outcome.report) for outcome in outcomes if outcome.report is not None]
    for name, report in reports:
        if report.bytes_out == report.vqc_bytes > report.bytes_in:
            sizes = f"{size(report.bytes_out)} instead of {size(report.bytes_in)}"
            yield f"{name}: the result is larger than the file, {sizes}"
    exact = [name for name, report in reports if report.chosen_lossless]
    avif = [name for name, report in reports if report.model == "avif" and report.bytes_out == report.vqc_bytes]
    met = "meets the target best" if targeted else ""
    for names, how in (
        (exact, f"without loss, which {met or 'is smaller here'}; --lossy compresses with a model"),
        (
            avif,
            f"as AVIF inside the .vqc file, which {met or 'above quality 8 and for drawings is better'}; "
            "-m photo: the model",
        ),
    ):
        if names:
            which = f"{names[0]}: kept" if len(names) == 1 else f"{len(names):,} images are kept"
            yield f"{which} {how}"
    for name, report in reports:
        if report.lossless_bytes is not None:
            yield f"{name}: without loss it takes {size(report.lossless_bytes)}; see --lossless"
    if skipped := sum(outcome.skipped for outcome in outcomes):
        yield f"{skipped:,} {'file' if skipped == 1 else 'files'} skipped, as the result is there already"


def as_dict(
    outcome: Outcome, figures: Callable[[Outcome, Report], dict[str, object]] | None = None
) -> dict[str, object]:
    """One outcome for JSON: the figures of the report, or the problem; and the warnings, if there are any."""
    warned = {"warnings": list(outcome.warnings)} if outcome.warnings else {}
    if outcome.skipped:
        return {"input": outcome.name, "output": outcome.target, "skipped": True}
    if outcome.report is None:
        return {"input": outcome.name, "error": outcome.problem, **warned}
    said = (figures or figures_of)(outcome, outcome.report)
    return {"input": outcome.name, "output": outcome.target, **said, **warned}


def figures_of(outcome: Outcome, report: Report) -> dict[str, object]:
    """What is said of a compressed or restored file."""
    fields: dict[str, object] = {
        **coding_of(report),
        **({} if report.lossless_bytes is None else {"bytes_lossless": report.lossless_bytes}),
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "ratio": round(ratio(report), 4),
        MEDIA[report.media].key: report.rate,
        "seconds": round(report.seconds, 4),
    }
    if report.mse is not None:
        fields |= {"psnr": report.psnr, "mse": report.mse}
    if report.score is not None:
        fields[report.score.metric] = report.score.value
    if report.explanation is not None:
        fields["explanation"] = explanation_as_dict(report.explanation, heat_map_of(outcome, report))
    return fields


def coding_of(file: Report | FileInfo) -> dict[str, object]:
    """What a `.vqc` file is of and how it is coded, for JSON; null is what does not apply to it."""
    return {
        "media": file.media,
        "model": file.model,
        "quality": None if file.lossless else file.quality,
        "entropy": file.entropy if file.has_codes else None,
        "lossless": file.lossless,
    }


def print_explanations(reports: Sequence[tuple[Outcome, Report]]) -> None:
    """Print where the bits of each file go, if that was asked for."""
    for outcome, report in reports:
        if report.explanation is not None:
            file = sys.stderr if outcome.target == STREAM else sys.stdout
            print(f"\n{outcome.target}" if len(reports) > 1 else "", file=file)
            print_explanation(report.explanation, heat_map_of(outcome, report), file)


def heat_map_of(outcome: Outcome, report: Report) -> Path | None:
    """The map beside a result; what goes to standard output has none."""
    return None if outcome.target == STREAM else report.heat_map


def ratio(*reports: Report) -> float:
    """Return how many times smaller the compressed files are than the others; below 1 if they are larger."""
    compressed = sum(report.vqc_bytes for report in reports)
    both = sum(report.bytes_in + report.bytes_out for report in reports)
    return (both - compressed) / max(1, compressed)


def figures(report: Report) -> list[str]:
    """The cells that a line and a table share."""
    return [
        size(report.bytes_in),
        size(report.bytes_out),
        f"{number(ratio(report))}x",
        f"{number(report.rate)} {MEDIA[report.media].unit}",
        duration(report.seconds),
    ]


def scores(report: Report) -> dict[str, str]:
    """What was asked to be told of the restored file: labels and cells."""
    cells = {}
    if report.score is not None:
        from vqc.metrics.catalogue import METRICS

        metric = METRICS[report.score.metric]
        cells[metric.label] = f"{report.score.value:.{metric.decimals}f} {metric.unit}".strip()
    if report.psnr is not None and report.mse is not None:
        cells |= {"PSNR": f"{report.psnr:.2f} dB", "MSE": f"{report.mse:.3g}"}
    return cells


def one_line(outcome: Outcome, report: Report) -> str:
    """photo.png -> photo.vqc  502 kB -> 5.1 kB  98.4x  0.123 bpp  0.31 s  PSNR 27.10 dB  MSE 0.00195"""
    before, after, times, bits, seconds = figures(report)
    line = f"{outcome.name} -> {outcome.target}  {before} -> {after}  {times}  {bits}  {seconds}"
    return "  ".join([line, *(f"{label} {cell}" for label, cell in scores(report).items())])


def print_reports(reports: Sequence[tuple[Outcome, Report]]) -> None:
    """A table with a row a file, and a sum below it when there is more than one."""
    told = [scores(report) for _, report in reports]
    labels = list(dict.fromkeys(label for cells in told for label in cells))
    columns = ["input", "output", "in", "out", "ratio", "rate", "time", *labels]
    rows = [
        [outcome.name, outcome.target, *figures(report), *(cells.get(label, "") for label in labels)]
        for (outcome, report), cells in zip(reports, told, strict=True)
    ]
    if len(reports) > 1:
        bytes_in, bytes_out = (sum(getattr(r, name) for _, r in reports) for name in ("bytes_in", "bytes_out"))
        times = ratio(*(report for _, report in reports))
        total = [f"{len(reports)} files", "", size(bytes_in), size(bytes_out), f"{number(times)}x"]
        rows.append(total + [""] * (len(columns) - len(total)))
    print_table(columns, rows, left=2)
