"""From the arguments of a command to the list of files to read and files to write, checked before any slow work.

photos/ + clip.wav  --(-o out)-->  photos/a/x.png -> out/a/x.vqc
                                   clip.wav       -> out/clip.vqc
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vqc.errors import MediaError, OptionError, OutputError, VQCError

STREAM = "-"


@dataclass(frozen=True)
class Source:
    """One file to read. `relative` is where it stands in the folder it was found in."""

    path: Path
    relative: Path
    name: str  # what messages call it: the path as typed, or "standard input"
    streamed: bool = False  # `path` is a copy of standard input


@dataclass(frozen=True)
class Job:
    """One file to read and one to write; a target of None is standard output, in the format of `suffix`."""

    source: Source
    target: Path | None
    suffix: str
    beside: Path | None = None  # a second file that comes with the target

    @property
    def results(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.target, self.beside) if path is not None]


@dataclass
class Plan:
    """What there is to do, and what is known not to work before anything was done."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[tuple[str, VQCError]] = field(default_factory=list)


def find_sources(
    inputs: Sequence[str], suffixes: frozenset[str], sought: str, stdin: Path | None
) -> tuple[list[Source], Plan]:
    """Files as they are, and of folders everything below with one of the suffixes; an input twice counts once.

    `stdin` is the file into which standard input was copied when `-` is among the inputs. What is not there
    goes to the failures of the returned plan.
    """
    plan, found = Plan(), dict[Path, Source]()
    for name in inputs:
        path = Path(name)
        if name == STREAM and stdin is not None:
            sources = [Source(stdin, Path("stdin"), "standard input", streamed=True)]
        elif path.is_dir():
            sources = [Source(file, file.relative_to(path), str(file)) for file in walk(path, suffixes)]
            if not sources:
                plan.failures.append((name, MediaError(f"{name}: there are no {sought} in this folder")))
        elif not path.exists():
            plan.failures.append((name, MediaError(f"{name}: there is no such file or folder")))
            continue
        elif not path.is_file():
            plan.failures.append((name, MediaError(f"{name}: this is no ordinary file; send it to standard input (-)")))
            continue
        else:
            sources = [Source(path, Path(path.name), name)]
        for source in sources:
            found.setdefault(source.path.resolve(), source)
    return list(found.values()), plan


def walk(folder: Path, suffixes: frozenset[str]) -> Iterable[Path]:
    """Every file below with one of the suffixes, in order; hidden ones and what vqc drew itself are left out."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and file.suffix.lower() in suffixes and file.is_file() and not is_drawn(file):
            yield file


def is_drawn(file: Path) -> bool:
    """Whether this is a map of bits that `compress --explain` left in a folder of photos."""
    if not file.name.endswith(".bits.png"):
        return False
    from vqc.codec.heat_map import is_heat_map

    return is_heat_map(file)


def listed(suffixes: Iterable[str]) -> str:
    """`.flac, .png or .wav`."""
    *others, last = sorted(suffixes)
    return f"{', '.join(others)} or {last}" if others else last


def make_plan(
    inputs: Sequence[str],
    output: str | None,
    *,
    suffixes: frozenset[str],
    sought: str,
    suffix_of: Callable[[Source], str],
    stdin: Path | None,
    force: bool,
    beside: Callable[[Source, Path], Path | None] | None = None,
) -> Plan:
    """What to read and where to write it. In folders files with the suffixes are looked for; `sought` is their word.

    `suffix_of` says how the output of a source is called; a `VQCError` of it is a failure of that source alone.
    `beside` says which file comes with the output of a source, if any does.
    Raises `OptionError` or `OutputError` for what makes the whole command impossible.
    """
    sources, plan = find_sources(inputs, suffixes, sought, stdin)
    if len(inputs) > 1 and STREAM in inputs:
        raise OptionError("standard input (-) must be the only input")
    several = is_batch(inputs)
    if output == STREAM and several:
        raise OptionError("only one file at a time can go to standard output; use -o FOLDER for several")
    for source in sources:
        try:
            suffix = suffix_of(source)
        except VQCError as error:
            plan.failures.append((source.name, error))
            continue
        target = place(source, output, suffix, several=several)
        second = None if beside is None or target is None else beside(source, target)
        plan.jobs.append(Job(source, target, suffix, second))
    plan.jobs = list(without_collisions(plan))
    refuse_replaced_inputs(plan.jobs)
    plan.jobs = [job for job in plan.jobs if is_free(job, plan, force=force)]
    check_folders(plan.jobs, may_create=several or (output is not None and names_folder(output)))
    return plan


def place(source: Source, output: str | None, suffix: str, *, several: bool) -> Path | None:
    """The file to write for a source, or None for standard output."""
    if output is None:
        return None if source.streamed else source.path.with_suffix(suffix)
    if output == STREAM:
        return None
    folder = Path(output)
    if several and folder.exists() and not folder.is_dir():
        raise OutputError(f"{output}: this is a file, but several results need a folder; choose another -o")
    if several or folder.is_dir() or names_folder(output):
        return folder / source.relative.with_suffix(suffix)
    return folder


def is_batch(inputs: Sequence[str]) -> bool:
    """Whether the results need a folder: there may be more than one."""
    return len(inputs) > 1 or any(Path(name).is_dir() for name in inputs)


def output_file(inputs: Sequence[str], output: str | None) -> str | None:
    """What was given with -o if it names the one file to write, and neither a folder nor standard output."""
    if output in (None, STREAM) or is_batch(inputs) or Path(output).is_dir() or names_folder(output):
        return None
    return output


def names_folder(output: str) -> bool:
    """Whether what was typed can only mean a folder, there already or not."""
    return output.endswith(("/", os.sep))


def without_collisions(plan: Plan) -> Iterator[Job]:
    """The jobs, but of several with one result only the first; the others are failures of the plan."""
    owners = dict[Path, str]()
    for job in plan.jobs:
        taken = next((path for path in job.results if path.resolve() in owners), None)
        if taken is not None:
            error = OutputError(
                f"{job.source.name}: {taken} is the result of {owners[taken.resolve()]}; do this one with another -o"
            )
            plan.failures.append((job.source.name, error))
            continue
        owners.update((path.resolve(), job.source.name) for path in job.results)
        yield job


def refuse_replaced_inputs(jobs: Sequence[Job]) -> None:
    """No result may have the name of a source."""
    targets = {path.resolve() for job in jobs for path in job.results}
    for job in jobs:
        if job.source.path.resolve() in targets:
            raise OutputError(f"{job.source.name}: the result would replace this input; choose another -o")


def is_free(job: Job, plan: Plan, *, force: bool) -> bool:
    """Whether the results may be written; if not, the plan gets the failure."""
    for path in filter(os.path.lexists, job.results):
        if path.is_dir():
            error = OutputError(f"{path}: a folder has this name; choose another -o")
        elif not force:
            error = OutputError(f"{path}: this file exists already; use --force to replace it")
        else:
            continue
        plan.failures.append((job.source.name, error))
        return False
    return True


def check_folders(jobs: Iterable[Job], *, may_create: bool) -> None:
    """Every folder of a result must be writable, and must exist unless it was asked for as a folder."""
    for folder in sorted({job.target.parent for job in jobs if job.target is not None}):
        existing = folder
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir():
            raise OutputError(f"{folder}: {existing} is not a folder; choose another -o")
        if existing != folder and not may_create:
            raise OutputError(f"{folder}: there is no such folder; make it first or choose another -o")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise OutputError(f"{existing}: this folder may not be written to; choose another place with -o")
