"""One folder to another, of any size and anywhere: listed as it is worked on, and counted rather than remembered.

source: folder after folder ─► items that are not done ─► scheduler ─► workers: get, convert, put ─► tally
        target: the same folder, names and sizes
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import typer

from vqc.cli.batch import Outcome, is_worth_another_try, run_job
from vqc.cli.console import duration, number, print_json, printable, size, warn
from vqc.cli.inputs import STREAM, InputFile, is_own_heat_map, skipped_note
from vqc.cli.outputs import is_batch, stream_of
from vqc.cli.plan import Conversion, Existing, Job, name_taken
from vqc.cli.progress import ProgressBar
from vqc.errors import OptionError, OutputError, VQCError
from vqc.storage.urls import is_url

if TYPE_CHECKING:
    from vqc.codec.api import Report
    from vqc.codec.progress import Progress
    from vqc.scheduling.workers import Workers
    from vqc.storage.places import Place

MOST_NAMED = 1000  # failures that are kept to be listed


class FileWork(Protocol):
    """What is done with one file; picklable."""

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report: ...

    def suffix_of(self, source: InputFile) -> str:
        """How the result of a file ends. VQCError if it can have none."""

    @property
    def endings(self) -> Sequence[str]:
        """How results may end."""


class Item(NamedTuple):
    """A file to do: where it lies in the source, and its result in the target, but for how that ends."""

    below: str
    stem: str
    replace: bool


@dataclass
class Tally:
    """What was done, so far."""

    listed: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_vqc: int = 0
    others: Counter[str] = field(default_factory=Counter)  # files that are not sought, by suffix
    failures: list[tuple[str, str]] = field(default_factory=list)  # name, why; the first of them
    begin: float = field(default_factory=time.perf_counter)

    def fail(self, name: str, problem: str) -> None:
        """Count a failure."""
        self.failed += 1
        if len(self.failures) < MOST_NAMED:
            self.failures.append((name, problem))

    def add(self, outcome: Outcome) -> None:
        """Count what became of a file. OptionError when it says that the options are wrong for all of them."""
        if outcome.exit_code == OptionError.exit_code:
            raise OptionError(outcome.problem)
        if outcome.problem:
            self.fail(outcome.name, outcome.problem)
        if outcome.report is not None:
            self.done += 1
            self.bytes_in += outcome.report.bytes_in
            self.bytes_out += outcome.report.bytes_out
            self.bytes_vqc += outcome.report.vqc_bytes

    def report(self, target: str, *, as_json: bool, quiet: bool) -> None:
        """Tell what was done, and end the command with exit code 1 if something was not."""
        seconds = time.perf_counter() - self.begin
        if as_json:
            counts = {"files": self.done, "skipped": self.skipped, "failed": self.failed}
            sizes = {"bytes_in": self.bytes_in, "bytes_out": self.bytes_out, "seconds": round(seconds, 4)}
            failures = [{"input": name, "error": problem} for name, problem in self.failures]
            print_json({"output": target, **counts, **sizes, "failures": failures})
        elif self.done and not quiet:
            times = number((self.bytes_in + self.bytes_out - self.bytes_vqc) / max(1, self.bytes_vqc))
            sizes_of = f"{size(self.bytes_in)} -> {size(self.bytes_out)}  {times}x"
            print(f"{target}: {counted(self.done)}  {sizes_of}  {duration(seconds)}")
        if self.skipped and not quiet:
            warn(f"{counted(self.skipped)} skipped, as the result is there already")
        if not quiet and (note := skipped_note(self.others)):
            warn(note)
        if self.failed:
            raise typer.Exit(1)

    def list_failures(self) -> None:
        """Name what failed, at the end."""
        for name, problem in self.failures:
            warn(printable(problem if name in problem else f"{name}: {problem}"))
        if self.failed > len(self.failures):
            warn(f"and {self.failed - len(self.failures):,} more files failed")


@dataclass(frozen=True)
class ConvertItem:
    """Get a file, convert it, put the result where it belongs; a class so that workers can be given it."""

    source: Place
    target: Place
    work: FileWork

    def __call__(self, item: Item) -> Outcome:
        name = self.source.name(item.below)
        try:
            with self.source.fetched(item.below) as path:
                source = InputFile(path, Path(item.below), name)
                suffix = self.work.suffix_of(source)
                below = named(item.stem, suffix)
                with self.target.receiving(below, overwrite=item.replace) as made:
                    outcome = run_job(Job(source, made, suffix, replace=item.replace), self.work)
                    problem = outcome.problem.replace(str(made), self.target.name(below))
                    outcome = replace(outcome, target=self.target.name(below), problem=problem)
                    if outcome.report is None:
                        raise _Undone(outcome)
                return outcome
        except _Undone as undone:
            return undone.outcome
        except (VQCError, OSError) as error:
            return Outcome.failure(name, error)


class _Undone(Exception):  # noqa: N818, it is caught where it was raised
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


def is_collection(inputs: Sequence[str], output: str | None, workers: Workers, each: str) -> bool:
    """Whether files are to be listed as they are worked on. OptionError when URLs stand where they cannot.

    That is: one folder to another by other machines; or the one or the other is named by a URL. Not where an option,
    `each`, asks for something of each file.
    """
    remote = [name for name in (*inputs, output or "") if is_url(name)]
    if remote and len(inputs) > 1:
        raise OptionError(f"{remote[0]}: with URLs give one input, a file or a folder")
    if remote and (STREAM in inputs or (output is not None and stream_of(output))):
        raise OptionError(f"{remote[0]}: URLs and standard input or output exclude each other")
    if remote and each:
        raise OptionError(f"{remote[0]}: {each} and URLs exclude each other")
    if remote or each or workers.ray is None or output is None:
        return bool(remote)
    return len(inputs) == 1 and is_batch(inputs)


def convert_collection(
    source: str, output: str | None, wanted: Conversion, work: FileWork, label: str, *, existing: Existing,
    workers: Workers, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Convert everything in a folder, tell of it, and end the command."""
    from vqc.scheduling.scheduler import Retry, map_unordered
    from vqc.storage.places import place_of

    if (
        output is not None
        and not output.endswith("/")
        and Path(output).suffix.lower() in {*wanted.suffixes, *work.endings}
    ):
        raise OptionError(f"-o {output}: results of a folder or URL go to a folder; write {output}/ if it is called so")
    origin = place_of(source)
    target = replace(origin, only=None) if output is None else place_of(output)
    if existing == "update" and None in (origin.local, target.local):
        raise OptionError("--update compares times, which not all URLs have; use --skip-existing")
    if target.only is not None:
        raise OutputError(f"{output}: this is a file, but several results need a folder; choose another -o")
    tally = Tally()
    retry = Retry(
        failed=is_worth_another_try,
        afresh=lambda item: item._replace(replace=True),
        lost=lambda item, error: Outcome.failure(origin.name(item.below), error),
    )
    with ProgressBar(label, 0, quiet=quiet) as bar:
        try:
            items = list_items(origin, target, wanted, work.endings, existing, tally)
            for _, outcome in map_unordered(ConvertItem(origin, target, work), items, workers, retry):
                tally.add(outcome)
                for text in () if quiet else outcome.warnings:
                    bar.warn(text)
                bar.at(tally.done + tally.failed, tally.listed)
            if not tally.listed and not tally.skipped and not tally.failed:
                tally.fail(source, f"{source}: there are no {wanted.sought} in this folder")
        finally:
            tally.list_failures()
    tally.report(target.root, as_json=as_json, quiet=quiet)


def list_items(
    source: Place, target: Place, wanted: Conversion, endings: Sequence[str], existing: Existing, tally: Tally
) -> Iterator[Item]:
    """Yield what is to be done, folder by folder; the tally is told of the rest."""
    mark = wanted.naming.mark if source.root == target.root else ""
    for folder in source.folders(lambda problem: tally.fail(problem.partition(":")[0], problem)):
        before, taken = f"{folder.below}/" if folder.below else "", set[str]()
        sought = [name for name in folder.files if Path(name).suffix.lower() in wanted.suffixes]
        for name in folder.files.keys() - {*sought}:
            suffix = Path(name).suffix.lower()
            tally.others[suffix] += suffix not in wanted.passed_over
        there = target.sizes(folder.below) if sought else {}
        shared = Counter(stem for name in folder.files if (stem := wanted.naming.stem(name)) != name)
        for name in sought:
            if source.local is not None and is_own_heat_map(source.local / before / name):
                continue
            stem = wanted.naming.stem(name)
            stem = (name if shared[stem] > 1 else stem) + mark
            found = next((result for ending in endings if (result := named(stem, ending)) in there), None)
            if problem := why_not(found, taken, stem, existing):
                tally.fail(source.name(before + name), f"{target.name(before + (found or stem))}: {problem}")
            elif found is not None and is_done(there[found], source, target, before + name, before + found, existing):
                tally.skipped += 1
            else:
                taken.add(stem)
                tally.listed += 1
                yield Item(before + name, before + stem, existing == "replace" or found is not None)


def why_not(found: str | None, taken: set[str], stem: str, existing: Existing) -> str:
    """Why a file is not done, though it is not; an empty string if it is."""
    if stem in taken:
        return "this is the result of another file of the folder; do this one with another -o"
    return name_taken(original=False) if found is not None and existing == "refuse" else ""


def is_done(length: int, source: Place, target: Place, original: str, result: str, existing: Existing) -> bool:
    """Whether a result that is there need not be made again: it is no empty file and, if times count, no older one."""
    if existing == "replace" or not length:
        return False
    if existing == "skip" or source.local is None or target.local is None:
        return True
    return (target.local / result).stat().st_mtime_ns >= (source.local / original).stat().st_mtime_ns


def named(stem: str, suffix: str) -> str:
    """The name of a result, below the target; one that is too long is cut as everywhere."""
    from vqc.atomic import fitting_name

    before, slash, name = stem.rpartition("/")
    return before + slash + fitting_name(name, suffix)


def counted(count: int) -> str:
    """`1 file` or `2,000 files`."""
    return f"{count:,} {'file' if count == 1 else 'files'}"
