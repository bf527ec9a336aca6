"""`vqc compare`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli.console import print_table, warn
from vqc.cli.eval import parse_qualities
from vqc.cli.options import ForceOption, QuietOption, ThreadsOption, model_option, takes
from vqc.cli.outputs import check_new, check_suffix
from vqc.cli.progress import ProgressBar
from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.evaluation.evaluate import EvaluationOptions
    from vqc.models.files.header import ModelInfo

MOST_QUALITIES = 8  # that the page has buttons for


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """The options of `vqc compare`."""

    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Images and audio files.")]
    output: Path = option(Path("compare.html"), "--output -o", "The page.", "HTML")
    model: Annotated[str | None, model_option("Name or file. [default: photo or speech, by file]")] = None
    quality: str | None = option(None, "--quality -q", "Up to eight, such as 2,5,8. [default: three]", "2,5,8")
    against: str = option("jpeg,webp,avif,jxl,opus,codec2", "--against", "Other codecs, or all.", "CODECS")
    effort: int | None = option(None, "--effort", "Of compressing, as in vqc compress.", "0..9", least=0, most=9)
    threads: ThreadsOption = None
    force: ForceOption = False
    quiet: QuietOption = False


@takes(CompareOptions)
def compare(options: CompareOptions) -> None:
    """Make a page of files beside what vqc and other codecs make of them in the same number of bytes."""
    check_suffix("-o", options.output, ".html", ".htm")
    check_new(options.output, force=options.force)
    requests = [comparison_of(file, options) for file in options.files]  # mistakes show before the slow work

    from vqc.evaluation.compare.page import table_of_versions, write_comparison
    from vqc.evaluation.evaluate import evaluate

    evaluations = []
    with ProgressBar("comparing", len(requests), quiet=options.quiet) as bar:
        for done, request in enumerate(requests, 1):
            evaluations.append(evaluate(request))
            bar.at(done, len(requests))
    write_comparison(evaluations, options.output, overwrite=options.force)
    for evaluation in () if options.quiet else evaluations:
        table, name = table_of_versions(evaluation, short=True), evaluation.examples[0].item
        print(name)
        print_table(table.headers, table.rows, left=table.left)
        print()
        for note in evaluation.notes:
            warn(note if len(evaluations) == 1 or note.startswith(name) else f"{name}: {note}")
    if not options.quiet:
        warn(f"wrote {options.output}")


def comparison_of(file: Path, options: CompareOptions) -> EvaluationOptions:
    """What to measure of a file, all of which is kept for the page."""
    from vqc.data.benchmarks import open_benchmark
    from vqc.data.media_type import media_of_file
    from vqc.evaluation.api import evaluation_of
    from vqc.models.files.zoo import find_by_name
    from vqc.models.kinds import default_model

    media = media_of_file(file)
    info = find_by_name(options.model or default_model(media))
    if info.media != media:
        raise OptionError(f"{file}: the model {info.name} is not for {media}; leave it out, or choose another")
    qualities = three_qualities(info) if options.quality is None else parse_qualities(options.quality, info)
    if len(qualities) > MOST_QUALITIES:
        raise OptionError(f"-q {options.quality}: give at most {MOST_QUALITIES} qualities")
    request = evaluation_of(
        info,
        open_benchmark(str(file), media),
        qualities=qualities,
        against=options.against,
        metrics=None,
        entropy="auto",
        effort=options.effort,
        sharp=False,
        examples=1,
        workers=1,
    )
    return replace(request, example_qualities=qualities)


def three_qualities(info: ModelInfo) -> tuple[int, ...]:
    """A low one, the default and the best, as far as a model has them."""
    return tuple(sorted({max(1, info.default_quality // 2), info.default_quality, info.qualities}))
