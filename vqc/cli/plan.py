"""From the arguments of a command to the list of files to read and files to write, checked before any slow work.

photos/ + clip.wav  --(-o out)-->  photos/a/x.png -> out/a/x.vqc
                                   clip.wav       -> out/clip.vqc
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from vqc.cli.inputs import InputFile, find_inputs, skipped_note
from vqc.cli.outputs import STANDARD_OUTPUT, Naming, Stream, is_batch, names_folder, output_path, stream_of
from vqc.errors import OptionError, OutputError, VQCError

Existing = Literal["refuse", "replace", "skip", "update"]  # what to do where a result is there already


def existing_policy(*, force: bool, skip: bool, update: bool = False) -> Existing:
    """Return what --force, --skip-existing and --update ask for; OptionError when they exclude each other."""
    given = {"--force": force, "--skip-existing": skip, "--update": update}
    named = [name for name, wanted in given.items() if wanted]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other; give one")
    return "replace" if force else "skip" if skip else "update" if update else "refuse"


@dataclass(frozen=True)
class Job:
    """One file to read and one to write; without a target it goes to a stream, in the format of `suffix`."""

    source: InputFile
    target: Path | None
    suffix: str
    beside: Path | None = None  # a second file that comes with the target
    replace: bool = False  # whether files that are there may be replaced
    stream: Stream = STANDARD_OUTPUT

    @property
    def results(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.target, self.beside) if path is not None]

    @property
    def output(self) -> str:
        """Name of what is written, for messages."""
        return self.stream.name if self.target is None else str(self.target)


@dataclass
class Plan:
    """Jobs to do, and what is known not to work before anything was done."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[tuple[str, VQCError]] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)  # their results are there and were to be left
    notes: list[str] = field(default_factory=list)  # to be said at the end


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Kinds of files that a command reads and makes.

    Args:
        suffixes: of the files that are looked for in folders; `sought` is their word.
        suffix_of: how the output of a source ends; a `VQCError` of it is a failure of that source alone.
        naming: what the rest of its name is.
        beside: which file comes with the output of a source, if any does.
        passed_over: suffixes of files in folders that nobody misses.
        precious: whether a file that has the name of a result may be an original; then nobody is told to replace it.
    """

    suffixes: frozenset[str]
    sought: str
    suffix_of: Callable[[InputFile], str]
    naming: Naming
    beside: Callable[[InputFile, Path], Path | None] | None = None
    passed_over: frozenset[str] = frozenset()
    precious: bool = False


def make_plan(
    inputs: Sequence[str], output: str | None, wanted: Conversion, *, stdin: Path | None, existing: Existing
) -> Plan:
    """Plan what to read and where to write it.

    Raises `OptionError` or `OutputError` for what makes the whole command impossible.
    """
    found = find_inputs(inputs, wanted.suffixes, wanted.sought, stdin, passed_over=wanted.passed_over)
    plan = Plan(failures=found.failures)
    stream, several = stream_of(output) or STANDARD_OUTPUT, is_batch(inputs)
    if several and stream_of(output):
        raise OptionError("only one file at a time can go to standard output; use -o FOLDER for several")
    for source in found.sources:
        try:
            suffix = wanted.suffix_of(source)
        except VQCError as error:
            plan.failures.append((source.name, error))
            continue
        target = output_path(source, output, suffix, wanted.naming, several=several)
        plan.jobs.append(Job(source, target, suffix, stream=stream))
    plan.jobs = disambiguate(plan.jobs, output, wanted.naming)
    plan.jobs = [with_side_file(job, wanted) for job in plan.jobs]
    plan.jobs = list(drop_collisions(plan))
    check_inputs_kept(plan.jobs)
    plan.jobs = list(resolve_existing(plan, existing, precious=wanted.precious, mark=wanted.naming.mark))
    plan.notes += filter(None, [full_names_note(plan.jobs, output, wanted.naming), skipped_note(found.others)])
    check_folders(plan.jobs, may_create=several or (output is not None and names_folder(output)))
    return plan


def with_side_file(job: Job, wanted: Conversion) -> Job:
    """The job with the file that comes beside its target."""
    if wanted.beside is None or job.target is None:
        return job
    return replace(job, beside=wanted.beside(job.source, job.target))


def disambiguate(jobs: Sequence[Job], output: str | None, naming: Naming) -> list[Job]:
    """The jobs, where several want one name each with the whole name of its source: `x.jpeg.vqc` and `x.png.vqc`."""
    wishes = dict[str, set[str]]()  # the names of the sources of each result
    for job in jobs:
        if job.target is not None:
            wishes.setdefault(os.path.realpath(job.target), set()).add(job.source.path.name)

    def renamed(job: Job) -> Job:
        if job.target is None or len(wishes[os.path.realpath(job.target)]) == 1:
            return job
        folder = None if output is None else Path(output)
        return replace(job, target=naming.result(job.source, job.suffix, folder, whole=True))

    return [renamed(job) for job in jobs]


def full_names_note(jobs: Sequence[Job], output: str | None, naming: Naming) -> str:
    """The sentence that says which results are called otherwise than people expect; not one that -o names."""
    whole = [
        str(job.target)
        for job in jobs
        if job.target is not None
        and (output is None or job.target != Path(output))
        and naming.stem(job.source.path.name) != job.source.path.name
        and job.target.name.startswith(job.source.path.name + ".")
    ]
    if not whole:
        return ""
    named = ", ".join(whole[:2]) + (f" and {len(whole) - 2:,} more" if len(whole) > 2 else "")
    return f"names that differ in the suffix alone are kept whole: {named}"


def join_suffixes(suffixes: Iterable[str]) -> str:
    """`.flac, .png or .wav`."""
    *others, last = sorted(suffixes)
    return f"{', '.join(others)} or {last}" if others else last


def drop_collisions(plan: Plan) -> Iterator[Job]:
    """The jobs, but of several with one result only the first; the others are failures of the plan."""
    owners = dict[str, str]()
    for job in plan.jobs:
        taken = next((path for path in job.results if os.path.realpath(path) in owners), None)
        if taken is not None:
            owner = owners[os.path.realpath(taken)]
            error = OutputError(f"{job.source.name}: {taken} is the result of {owner}; do this one with another -o")
            plan.failures.append((job.source.name, error))
            continue
        owners.update((os.path.realpath(path), job.source.name) for path in job.results)
        yield job


def check_inputs_kept(jobs: Sequence[Job]) -> None:
    """No result may have the name of a source."""
    targets = {os.path.realpath(path) for job in jobs for path in job.results}
    for job in jobs:
        if os.path.realpath(job.source.path) in targets:
            raise OutputError(f"{job.source.name}: the result would replace this input; choose another -o")


def resolve_existing(plan: Plan, existing: Existing, *, precious: bool, mark: str) -> Iterator[Job]:
    """The jobs whose results may be written; the plan is told of the others."""
    for job in plan.jobs:
        there = [path for path in job.results if os.path.lexists(path)]
        folder = next((path for path in there if path.is_dir()), None)
        if folder is not None:
            error = OutputError(f"{folder}: a folder has this name; choose another -o")
            plan.failures.append((job.source.name, error))
        elif not there or existing == "replace":
            yield replace(job, replace=existing == "replace")
        elif existing == "update" and is_older(there, job.source):
            yield replace(job, replace=True)
        elif existing in ("skip", "update") and job.target in there:
            plan.skipped.append(job)
        else:
            original = precious and not there[0].stem.endswith(mark)
            plan.failures.append((job.source.name, OutputError(f"{there[0]}: {name_taken(original=original)}")))


def is_older(results: Iterable[Path], source: InputFile) -> bool:
    """Return whether the source was changed after the oldest of its results was written."""
    try:
        return min(path.stat().st_mtime_ns for path in results) < source.path.stat().st_mtime_ns
    except FileNotFoundError:  # a link that leads nowhere
        return True


def name_taken(*, original: bool) -> str:
    """Say what is wrong with a name that is taken, and what to do; never to replace what may be an original."""
    if original:
        return "this file exists already, and may be the original; choose another -o, or --skip-existing to leave it"
    return "this file exists already; use --force to replace it, or --skip-existing to leave it"


def check_folders(jobs: Iterable[Job], *, may_create: bool) -> None:
    """Every folder of a result must be writable, and must exist unless it was asked for as a folder."""
    for folder in sorted({job.target.parent for job in jobs if job.target is not None}):
        existing = folder
        while not os.path.lexists(existing):
            existing = existing.parent
        if not existing.is_dir():
            raise OutputError(f"{folder}: {existing} is not a folder; choose another -o")
        if existing != folder and not may_create:
            raise OutputError(f"{folder}: there is no such folder; make it first or choose another -o")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise OutputError(f"{existing}: this folder may not be written to; choose another place with -o")
