"""Places and names of results.

holiday/photo.png ─ compress ───→ holiday/photo.vqc            holiday/photo.jpeg.vqc where a photo.png lies beside
holiday/photo.vqc ─ decompress ─→ holiday/photo.restored.png   never photo.png: that is the original's name
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vqc.cli.inputs import STREAM, InputFile
from vqc.errors import OptionError, OutputError


@dataclass(frozen=True)
class Stream:
    """A result that is no file: what is written goes there and away."""

    name: str  # as typed
    descriptor: int | None  # the open file of this number; None for a device or a pipe that is opened by its name


STANDARD_OUTPUT = Stream(STREAM, 1)
_OPEN_FILE = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_NAMED_FILES = {STREAM: 1, "/dev/stdout": 1, "/dev/stderr": 2}


def stream_of(output: str | None) -> Stream | None:
    """Return the stream that `-o` names: `-`, `/dev/stdout`, the shell's `>(command)`; None for a file or folder."""
    if output is None:
        return None
    match = _OPEN_FILE.fullmatch(output)
    descriptor = int(match[1]) if match else _NAMED_FILES.get(output)
    if descriptor is not None:
        return STANDARD_OUTPUT if descriptor == 1 else Stream(output, descriptor)
    try:
        mode = Path(output).stat().st_mode
    except OSError:
        return None
    return Stream(output, None) if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) else None


@dataclass
class Naming:
    """Names of the results of one command after their sources.

    Args:
        stripped: suffixes that are taken from the name of a source; any other is part of the name.
        mark: what comes before the suffix of a result that lies beside its source, where without it another file has
            that name by right.
    """

    stripped: frozenset[str]
    mark: str = ""
    _stems: dict[Path, Counter[str]] = field(default_factory=dict)  # of the files in a folder, with how many have each

    def stem(self, name: str) -> str:
        """`photo` of `photo.png`, but `IMG_1.5x` of `IMG_1.5x`."""
        root, suffix = os.path.splitext(name)  # noqa: PTH122, as fast as it gets for a large folder
        return root if suffix.lower() in self.stripped else name

    def result(self, source: InputFile, suffix: str, folder: Path | None, *, whole: bool = False) -> Path:
        """The file for a source, in its place below `folder` or beside it; `whole` keeps the suffix of its name."""
        from vqc.atomic import fitting_name

        target = source.path if folder is None else folder / source.relative
        stem = source.path.name if whole or self.is_shared(source) else self.stem(source.path.name)
        beside = os.path.realpath(target.parent) == os.path.realpath(source.path.parent)
        return target.with_name(fitting_name(stem, (self.mark if beside else "") + suffix))

    def is_shared(self, source: InputFile) -> bool:
        """Return whether another file beside the source has its name but for the suffix: `x.png` beside `x.jpeg`."""
        stem, folder = self.stem(source.path.name), source.path.parent
        if source.streamed or stem == source.path.name:
            return False
        if folder not in self._stems:
            names: list[str] = []
            with suppress(OSError):  # a folder of which only names that are known can be opened
                names = os.listdir(folder)  # noqa: PTH208
            self._stems[folder] = Counter(self.stem(name) for name in names if self.stem(name) != name)
        return self._stems[folder][stem] > 1


def output_path(source: InputFile, output: str | None, suffix: str, naming: Naming, *, several: bool) -> Path | None:
    """The file to write for a source, or None for a stream."""
    if output is None:
        return None if source.streamed else naming.result(source, suffix, None)
    if stream_of(output):
        return None
    folder = Path(output)
    if several and os.path.lexists(folder) and not folder.is_dir():
        raise OutputError(f"{output}: this is a file, but several results need a folder; choose another -o")
    if several or folder.is_dir() or names_folder(output):
        return naming.result(source, suffix, folder)
    return folder


def check_output(output: str | None, inputs: Sequence[str], files: Iterable[str], only: str | None = None) -> None:
    """OptionError when `-o` says something else than what is made.

    Args:
        files: suffixes that only files have, so that no folder is meant.
        only: the suffix that a result must have, if its name has one.
    """
    if output is None or names_folder(output) or Path(output).is_dir() or stream_of(output):
        return
    suffix = Path(output).suffix.lower()
    if is_batch(inputs):
        if suffix in files:
            raise OptionError(
                f"-o {output}: several results need a folder, and this is the name of a file; write {output}/ to make "
                "a folder of that name"
            )
    elif only is not None and suffix not in ("", only):
        raise OptionError(f"-o {output}: the result is a {only} file; choose a name that ends so, or a folder")


def check_suffix(option: str, path: Path | None, *suffixes: str) -> None:
    """OptionError when a file is called like one of another kind than what is written to it."""
    if path is not None and path.suffix.lower() not in ("", *suffixes):
        raise OptionError(f"{option} {path}: what is written there is a {suffixes[0]} file; choose a name that ends so")


def check_new(*targets: Path | None, force: bool) -> None:
    """OutputError when one of the files is there and may not be replaced; call it before slow work."""
    for target in targets:
        if target is not None and target.exists() and not force:
            raise OutputError(f"{target}: this file exists already; use --force to replace it")


def is_batch(inputs: Sequence[str]) -> bool:
    """Return whether the results need a folder: there may be more than one."""
    return len(inputs) > 1 or any(Path(name).is_dir() for name in inputs)


def output_file(inputs: Sequence[str], output: str | None) -> str | None:
    """Return what was given with -o if it names the one file to write, and neither a folder nor a stream."""
    if output is None or is_batch(inputs) or Path(output).is_dir() or names_folder(output) or stream_of(output):
        return None
    return output


def names_folder(output: str) -> bool:
    """Return whether what was typed can only mean a folder, there already or not."""
    return output.endswith(("/", os.sep))
