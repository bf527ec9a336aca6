"""What `vqc eval` does once its options are read: find models and data, measure, print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vqc.cli.console import print_json, print_table, warn
from vqc.cli.options import Entropy
from vqc.cli.outputs import check_new, check_suffix
from vqc.cli.progress import ProgressBar
from vqc.errors import OptionError
from vqc.processors import threads

if TYPE_CHECKING:
    from vqc.data.benchmarks import Benchmark
    from vqc.evaluation.evaluate import Request
    from vqc.evaluation.results import Evaluation
    from vqc.models.files.header import ModelInfo

EXAMPLES = 3  # files that a report shows


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of `vqc eval`."""

    model: str | None
    data: str | None
    quality: str | None
    split: str | None
    listed: Path | None
    limit: int | None
    files: int | None
    download: bool
    against: str
    effort: int | None
    sharp: bool
    metrics: str | None
    entropy: Entropy
    report: Path | None
    csv: Path | None
    jobs: int | None
    force: bool
    json: bool
    quiet: bool


class Subject(NamedTuple):
    """A model, and what it is measured on."""

    info: ModelInfo
    data: Benchmark


def run_evaluation(wish: Wish) -> None:
    """Measure as asked, print the tables and write what is to be written."""
    check_suffix("--report", wish.report, ".html", ".htm")
    check_suffix("--csv", wish.csv, ".csv")
    check_new(wish.report, wish.csv, force=wish.force)
    subjects = find_subjects(wish)
    if len(subjects) > 1 and (wish.report or wish.csv):
        raise OptionError("a report and a CSV file are of one model; choose it with --model")
    evaluations = [evaluate_one(subject, wish) for subject in subjects]
    for note in dict.fromkeys(note for evaluation in evaluations for note in evaluation.notes):
        if not wish.quiet:
            warn(note)
    if wish.csv:
        from vqc.evaluation.result_tables import write_csv

        write_csv(evaluations[0], wish.csv, overwrite=wish.force)
    if wish.report:
        from vqc.evaluation.report.page import write_report

        write_report(evaluations[0], wish.report, overwrite=wish.force)
    print_evaluations(evaluations, wish)


def find_subjects(wish: Wish) -> list[Subject]:
    """The models and their data."""
    from vqc.data.benchmarks import open_benchmark
    from vqc.evaluation.samples import sample_set
    from vqc.models.files.zoo import BUNDLED_FOLDER, find_by_name, list_models

    if wish.data is None:
        if wish.split or wish.listed or wish.download:
            raise OptionError("--split, --list and --download choose among data; name it with --data")
        chosen = [find_by_name(wish.model)] if wish.model else []
        bundled = [info for info in list_models() if info.path.parent == BUNDLED_FOLDER]
        if not chosen and wish.sharp:  # those that can
            chosen = [info for info in bundled if info.sharp is not None]
            if not chosen:
                raise OptionError("none of the bundled models has a sharp decoder; name one with --model")
        chosen = chosen or bundled
        return [Subject(info, sample_set(info).only(wish.limit)) for info in chosen]
    info = find_by_name(wish.model or default_model(wish.data))
    data = open_benchmark(wish.data, info.media, split=wish.split, listed=wish.listed, download=wish.download)
    return [Subject(info, data.only(wish.limit))]


def default_model(data: str) -> str:
    """The model for data whose model is not named."""
    from vqc.data.benchmarks import media_of_data
    from vqc.models.kinds import default_model

    media, small = media_of_data(data)
    return "cifar10" if small else default_model(media)


def evaluate_one(subject: Subject, wish: Wish) -> Evaluation:
    """One model on its data, with a progress bar."""
    from vqc.evaluation.evaluate import evaluate

    request = make_request(subject, wish)
    with ProgressBar(f"measuring {subject.info.name}", len(subject.data.items), quiet=wish.quiet) as bar:
        return evaluate(request, bar.at)


def make_request(subject: Subject, wish: Wish) -> Request:
    """What to measure of a model."""
    from vqc.evaluation.baselines import choose_rivals
    from vqc.evaluation.evaluate import Request
    from vqc.evaluation.measure import Plan
    from vqc.metrics.catalogue import choose_metrics
    from vqc.models.kinds import kind_named

    info, data = subject
    qualities = parse_qualities(wish.quality, info)
    against, notes = choose_rivals(wish.against, info.media)
    metrics, absent = choose_metrics(wish.metrics, info.media)
    plan = Plan(
        media=info.media,
        model=str(info.path),
        qualities=qualities,
        entropy=wish.entropy,
        metrics=metrics,
        against=against,
        effort=wish.effort,
        sharp=wish.sharp,
    )
    default = info.default_quality if info.default_quality in qualities else qualities[len(qualities) // 2]
    return Request(
        plan=plan,
        data=data,
        jobs=wish.jobs or min(threads(), len(data.items) if wish.data else 1),
        files=wish.files or (kind_named(info.kind).sample_files if wish.data is None else None),
        examples=EXAMPLES if wish.report else 0,
        example_qualities=tuple(sorted({qualities[len(qualities) // 4], default})),
        notes=(*absent, *notes),
    )


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


def print_evaluations(evaluations: list[Evaluation], wish: Wish) -> None:
    """The tables of one evaluation, or one table of several."""
    from vqc.evaluation.result_tables import as_json, overview, tables

    if wish.json:
        documents = [as_json(evaluation) for evaluation in evaluations]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    if wish.quiet:
        return
    shown = tables(evaluations[0]) if len(evaluations) == 1 else [overview(evaluations)]
    for number, table in enumerate(shown):
        print(f"{chr(10) if number else ''}{table.title}")
        print_table(table.headers, table.rows, left=table.left)
    for path in filter(None, (wish.csv, wish.report)):
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
