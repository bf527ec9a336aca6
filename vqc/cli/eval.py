"""`vqc eval`: find models and data, measure, print."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vqc.cli.commands import App
from vqc.cli.console import print_json, print_table, warn
from vqc.cli.eval_convert import convert
from vqc.cli.eval_phonemes import phonemes
from vqc.cli.eval_samples import samples
from vqc.cli.options import (
    Entropy,
    ForceOption,
    JsonOption,
    QuietOption,
    RayOption,
    ThreadsOption,
    model_option,
    takes,
    workers_of,
)
from vqc.cli.outputs import check_new, check_suffix
from vqc.cli.progress import ProgressBar
from vqc.errors import OptionError
from vqc.option_fields import option
from vqc.processors import threads

if TYPE_CHECKING:
    from vqc.data.benchmarks import Benchmark
    from vqc.evaluation.evaluate import EvaluationOptions
    from vqc.evaluation.results import Evaluation
    from vqc.models.files.header import ModelInfo

EXAMPLES = 3  # files that a report shows


evaluation = App("Measure models, and other codecs on the same files.", invoke_without_command=True)


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """The options of `vqc eval`."""

    model: Annotated[str | None, model_option("Name or file. [default: by data; without, all bundled]")] = None
    data: str | None = option(
        None, "--data", "File, folder, URL, kodak, cifar10 or LibriSpeech. [default: samples]", "DATA"
    )
    quality: str | None = option(None, "--quality -q", "Such as 1,4,8, or all. [default: the model's]", "1,4,8")
    split: str | None = option(None, "--split", "Part of the data: test, validation, test-other, …", "PART")
    listed: Path | None = option(None, "--list", "Only the files that it names, one a line.", "FILE")
    limit: int | None = option(None, "--limit", "At most so many items, evenly spaced.", "N", least=1)
    files: int | None = option(None, "--files", "Write whole files of at most so many. [default: all]", "N", least=1)
    download: bool = option(False, "--download", "Get named data that is not here.")
    against: str = option("", "--against", "jpeg,webp,avif,jxl,png; opus,codec2,flac; or all.", "CODECS")
    effort: int | None = option(None, "--effort", "Of compressing, as in vqc compress.", "0..9", least=0, most=9)
    sharp: bool = option(False, "--sharp", "Restore with the model's sharp decoder.")
    metrics: str | None = option(None, "--metrics", "Such as psnr,ms_ssim, or none. [default: all]", "KEYS")
    entropy: Entropy = option("auto", "--entropy", "Code packing: auto, prior, static or none.", "MODE")
    report: Path | None = option(None, "--report", "Write a page with figures, pictures and sounds.", "HTML")
    csv: Path | None = option(None, "--csv", "Write a line for every file.", "CSV")
    explain: bool = option(False, "--explain", "Say what the numbers mean, and end.")
    jobs: int | None = option(None, "--jobs", "Files at the same time. [default: cores]", "N", least=1)
    ray: RayOption = None
    threads: ThreadsOption = None
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False


class ModelOnData(NamedTuple):
    """A model, and what it is measured on."""

    info: ModelInfo
    data: Benchmark


@evaluation.callback(epilog="Example: vqc eval --data kodak -q all --against jpeg,avif --report kodak.html")
@takes(EvalOptions)
def measure(context: typer.Context, options: EvalOptions) -> None:
    """Measure models, and other codecs on the same files."""
    if context.invoked_subcommand:
        return
    if options.explain:
        explain_numbers(as_json=options.json)
    else:
        run_evaluation(options)


def run_evaluation(options: EvalOptions) -> None:
    """Measure as asked, print the tables and write what is to be written."""
    check_suffix("--report", options.report, ".html", ".htm")
    check_suffix("--csv", options.csv, ".csv")
    check_new(options.report, options.csv, force=options.force)
    evaluations = measured(options)
    for note in dict.fromkeys(note for evaluation in evaluations for note in evaluation.notes):
        if not options.quiet:
            warn(note)
    if options.csv:
        from vqc.evaluation.result_tables import write_csv

        write_csv(evaluations[0], options.csv, overwrite=options.force)
    if options.report:
        from vqc.evaluation.report.page import write_report

        write_report(evaluations[0], options.report, overwrite=options.force)
    print_evaluations(evaluations, options)


def measured(options: EvalOptions) -> list[Evaluation]:
    """Each model, measured."""
    from vqc.evaluation.api import data_at_hand

    with ExitStack() as held:
        if options.data is not None:
            most = None if options.split or options.listed else options.limit
            options = replace(options, data=held.enter_context(data_at_hand(options.data, most)))
        subjects = find_models_and_data(options)
        if len(subjects) > 1 and (options.report or options.csv):
            raise OptionError("a report and a CSV file are of one model; choose it with --model")
        return [evaluate_one(subject, options) for subject in subjects]


def find_models_and_data(options: EvalOptions) -> list[ModelOnData]:
    """The models and their data."""
    from vqc.data.benchmarks import open_benchmark
    from vqc.evaluation.api import model_for
    from vqc.evaluation.samples import sample_set
    from vqc.models.files.zoo import BUNDLED_FOLDER, find_by_name, list_models

    if options.data is None:
        if options.split or options.listed or options.download:
            raise OptionError("--split, --list and --download choose among data; name it with --data")
        chosen = [find_by_name(options.model)] if options.model else []
        bundled = [info for info in list_models() if info.path.parent == BUNDLED_FOLDER]
        if not chosen and options.sharp:  # those that can
            chosen = [info for info in bundled if info.perceptual is not None]
            if not chosen:
                raise OptionError("none of the bundled models has a sharp decoder; name one with --model")
        chosen = chosen or bundled
        return [ModelOnData(info, sample_set(info).at_most(options.limit)) for info in chosen]
    info = find_by_name(options.model or model_for(options.data))
    data = open_benchmark(
        options.data, info.media, split=options.split, listed=options.listed, download=options.download
    )
    return [ModelOnData(info, data.at_most(options.limit))]


def evaluate_one(subject: ModelOnData, options: EvalOptions) -> Evaluation:
    """One model on its data, with a progress bar."""
    from vqc.evaluation.evaluate import evaluate

    request = evaluation_request(subject, options)
    with ProgressBar(f"measuring {subject.info.name}", len(subject.data.items), quiet=options.quiet) as bar:
        return evaluate(request, bar.at)


def evaluation_request(subject: ModelOnData, options: EvalOptions) -> EvaluationOptions:
    """Return what to measure of a model."""
    from vqc.evaluation.api import evaluation_of

    info, data = subject
    jobs = options.jobs
    if jobs is None and options.ray is None:
        jobs = min(threads(), len(data.items) if options.data else 1)
    return evaluation_of(
        info,
        data,
        qualities=parse_qualities(options.quality, info),
        against=options.against,
        metrics=options.metrics,
        entropy=options.entropy,
        effort=options.effort,
        sharp=options.sharp,
        files=options.files or (sample_files(info) if options.data is None else None),
        workers=workers_of(jobs, options.ray, "cpu"),
        examples=EXAMPLES if options.report else 0,
    )


def sample_files(info: ModelInfo) -> int | None:
    """Return of how many of the bundled samples whole files are written."""
    from vqc.models.kinds import kind_named

    return kind_named(info.kind).sample_files


def parse_qualities(text: str | None, info: ModelInfo) -> tuple[int, ...]:
    """`all`, or numbers with commas between; OptionError for what the model does not have."""
    if text is None:
        return (info.default_quality,)
    if text == "all":
        return tuple(range(1, info.qualities + 1))
    try:
        chosen = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise OptionError(f"-q {text}: give numbers with commas between, or all") from None
    if not all(1 <= quality <= info.qualities for quality in chosen):
        raise OptionError(f"-q {text}: the qualities of the model {info.name} are 1 to {info.qualities}")
    return chosen


def print_evaluations(evaluations: list[Evaluation], options: EvalOptions) -> None:
    """The tables of one evaluation, or one table of several."""
    from vqc.evaluation.result_tables import as_json, overview, tables

    if options.json:
        documents = [as_json(evaluation) for evaluation in evaluations]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    if options.quiet:
        return
    shown = tables(evaluations[0]) if len(evaluations) == 1 else [overview(evaluations)]
    for number, table in enumerate(shown):
        print(f"{chr(10) if number else ''}{table.title}")
        print_table(table.headers, table.rows, left=table.left)
    for path in filter(None, (options.csv, options.report)):
        warn(f"wrote {path}")


def explain_numbers(*, as_json: bool) -> None:
    """The meaning of every number."""
    from vqc.evaluation.definitions import ABOUT_THE_REPORT, definitions

    if as_json:
        print_json(definitions())
        return
    import textwrap

    for name, meaning in definitions().items():
        print(textwrap.fill(f"{name}: {meaning}", 100, subsequent_indent="    "))
    print(textwrap.fill(ABOUT_THE_REPORT, 100))


evaluation.command(epilog="Example: vqc eval phonemes --data LibriSpeech/test-other")(phonemes)
evaluation.command(epilog="Example: vqc eval samples --data CIFAR10 --classifier judge.npz")(samples)
evaluation.command(epilog="Example: vqc eval convert --data LibriSpeech/test-other")(convert)
