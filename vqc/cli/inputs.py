"""From the arguments of a command to the files to read; nothing is left out without being counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vqc.errors import MediaError, OptionError, VQCError

STREAM = "-"
MOST_KINDS = 8  # that a sentence names


@dataclass(frozen=True)
class InputFile:
    """One file to read. `relative` is where it stands in the folder it was found in."""

    path: Path
    relative: Path
    name: str  # what messages call it: the path as typed, or "standard input"
    streamed: bool = False  # `path` is a copy of standard input


@dataclass
class FoundInputs:
    """The files that the arguments name, and what is not among them."""

    sources: list[InputFile] = field(default_factory=list)
    failures: list[tuple[str, VQCError]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # files in folders that are not sought, by suffix

    def fail(self, name: str, problem: str) -> None:
        """One argument, or one file in a folder, that cannot be read."""
        self.failures.append((name, MediaError(f"{name}: {problem}")))


def find_inputs(
    inputs: Sequence[str],
    suffixes: frozenset[str],
    sought: str,
    stdin: Path | None = None,
    *,
    passed_over: frozenset[str] = frozenset(),
) -> FoundInputs:
    """Files as they are, and of folders everything below with one of the suffixes; a name given twice counts once.

    Args:
        inputs: the arguments. OptionError when `-` is among several.
        sought: word for what has these suffixes.
        stdin: the file into which standard input was copied, when `-` is among the inputs.
        passed_over: suffixes of files in folders that nobody misses, such as those of the results.
    """
    if len(inputs) > 1 and STREAM in inputs:
        raise OptionError("standard input (-) must be the only input")
    found, known = FoundInputs(), dict[str, InputFile]()
    for name in inputs:
        for source in inputs_of(name, suffixes, sought, stdin, passed_over, found):
            known.setdefault(os.path.abspath(source.path), source)  # noqa: PTH100, links are names of their own
    found.sources = list(known.values())
    return found


def inputs_of(
    name: str,
    suffixes: frozenset[str],
    sought: str,
    stdin: Path | None,
    passed_over: frozenset[str],
    found: FoundInputs,
) -> list[InputFile]:
    """The sources of one argument; the rest goes to `found`."""
    path = Path(name)
    if name == STREAM and stdin is not None:
        return [InputFile(stdin, Path("stdin"), "standard input", streamed=True)]
    if path.is_dir():
        before, others = len(found.failures), Counter[str]()
        sources = list(inputs_in(path, suffixes, passed_over, found, others))
        if not sources and len(found.failures) == before:
            only = f", only {kinds}" if (kinds := count_by_suffix(others)) else ""
            found.fail(name, f"there are no {sought} in this folder{only}")
        else:
            found.others += others
        return sources
    problem = why_unreadable(path)
    if problem:
        found.fail(name, problem)
        return []
    return [InputFile(path, Path(path.name), name)]


def inputs_in(
    folder: Path, suffixes: frozenset[str], passed_over: frozenset[str], found: FoundInputs, others: Counter[str]
) -> Iterator[InputFile]:
    """Every file below with one of the suffixes; others are counted, but for what vqc drew itself."""
    from vqc.data.walk import walk

    def unreadable(error: OSError) -> None:
        found.fail(str(error.filename), f"this folder cannot be read: {error.strerror or error}")

    for place in walk(folder, unreadable):
        for below in place.paths:
            path = folder / below
            suffix = path.suffix.lower()
            if suffix not in suffixes:
                others[suffix] += suffix not in passed_over
            elif problem := why_unreadable(path):
                found.fail(str(path), problem)
            elif not is_own_heat_map(path):
                yield InputFile(path, Path(below), str(path))


def why_unreadable(path: Path) -> str:
    """Say why a file cannot be read; an empty string if it can."""
    try:
        if path.is_file():
            return ""
        if path.exists():
            return "this is no ordinary file; send it to standard input (-)"
    except OSError as error:  # in a folder that may be listed and not entered
        return f"cannot be read: {error.strerror or error}"
    return "this link leads nowhere" if path.is_symlink() else "there is no such file or folder"


def is_own_heat_map(file: Path) -> bool:
    """Return whether this is a map of bits that `compress --explain` left in a folder of photos."""
    if not file.name.endswith(".bits.png"):
        return False
    from vqc.drawing.heat_map import is_heat_map

    return is_heat_map(file)


def skipped_note(others: Mapping[str, int]) -> str:
    """`5 files of other kinds left out: 3 .heic, 2 .txt`, or an empty string."""
    total = sum(others.values())
    if not total:
        return ""
    what = "file of another kind" if total == 1 else "files of other kinds"
    return f"{total:,} {what} left out: {count_by_suffix(others)}"


def count_by_suffix(others: Mapping[str, int]) -> str:
    """`3 .heic, 2 .txt`, the most first."""
    kinds = sorted(((count, suffix) for suffix, count in others.items() if count), key=lambda kind: (-kind[0], kind[1]))
    named = [f"{count:,} {suffix or 'without a suffix'}" for count, suffix in kinds[:MOST_KINDS]]
    if rest := sum(count for count, _ in kinds[MOST_KINDS:]):
        named.append(f"{rest:,} more")
    return ", ".join(named)
