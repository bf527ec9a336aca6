"""Files that appear whole or not at all.

A result is written to a hidden file beside its target, flushed to the disk and then given the target's name. Whatever
goes wrong before that, Ctrl-C included, removes the hidden file and leaves the target as it was. Whether a target may
be replaced is decided in the moment of that renaming, by the system: of two programs with one target only one gets it.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vqc.errors import OptionError, OutputError
from vqc.partials import CLOSED_BEFORE_RENAMED, cut, make_partial

Target = str | os.PathLike[str]  # where a file is to be

LONGEST_NAME = 255  # bytes, in nearly every file system


def check_target(target: Target, *, overwrite: bool = False) -> Path:
    """The target with links followed, once it is known that it may be written. Call it before slow work.

    Raises:
        OutputError: the target exists (and `overwrite` is not set), is a folder, its folder is missing or read-only, or
            its name is too long or a link that leads in a circle.
    """
    shown, path = os.fspath(target), Path(os.path.realpath(target))
    _look_at(shown)
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{shown}: a folder has this name; choose another output")
    if path.exists() and not overwrite:
        raise _exists(shown)
    if not folder.is_dir():
        raise OutputError(f"{shown}: the folder {folder} does not exist; make it first or choose another output")
    if not os.access(folder if _replaceable(path) else path, os.W_OK):
        raise OutputError(f"{shown}: {folder} may not be written to; choose another output")
    return path


@contextmanager
def atomic_file(target: Target, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file, open for writing and reading bytes, that becomes `target` when the block ends without an exception.

    A file that is replaced hands on its permissions. A target that is no regular file (a device, a pipe) is written to
    directly: there is nothing to replace.

    Raises:
        OutputError: see `check_target`; also when the disk is full, or another program made the target meanwhile.
    """
    path, shown = check_target(target, overwrite=overwrite), os.fspath(target)
    with _full_disks_reported(shown):
        if not _replaceable(path):
            with path.open("wb") as file:
                yield file
            return
        mode = _mode_of(path) if overwrite else None
        try:
            temporary, new_file = make_partial(path)
        except OSError as error:
            raise OutputError(f"{shown}: cannot be written: {error.strerror or error}") from error
        try:
            with new_file:
                _set_mode(new_file, mode, also=0o600)  # at once: what few may read, few may read while it is written
                yield new_file
                new_file.flush()
                _set_mode(new_file, mode)
                os.fsync(new_file.fileno())
                if not CLOSED_BEFORE_RENAMED:  # and with that let go of
                    _publish(temporary, path, shown, overwrite=overwrite)
            if CLOSED_BEFORE_RENAMED:
                _publish(temporary, path, shown, overwrite=overwrite)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def write_atomically(target: Target, data: bytes, *, overwrite: bool = False) -> None:
    """Make `target` a file with these bytes, whole or not at all. Raises what `atomic_file` does."""
    with atomic_file(target, overwrite=overwrite) as file:
        file.write(data)


@contextmanager
def path_of(target: Target | BinaryIO) -> Iterator[Target]:
    """A path as it is; for a file that is open for writing another one, whose bytes it gets if the block ends well.

    Raises:
        OptionError: the target is neither, or is open as text.
    """
    if isinstance(target, str | os.PathLike):
        yield target
        return
    if not hasattr(target, "write"):
        raise OptionError(f"a target is a path or a file open for writing, not {type(target).__name__}")
    if isinstance(target, io.TextIOBase):
        raise OptionError("the target is open as text; open it with mode 'wb'")
    name = getattr(target, "name", "")
    with tempfile.TemporaryDirectory(prefix="vqc-") as folder:
        held = Path(folder, Path(name).name or "file") if isinstance(name, str) else Path(folder, "file")
        yield held
        with held.open("rb") as file:
            shutil.copyfileobj(file, target)


def fitting_name(stem: str, suffix: str) -> str:
    """`stem` and `suffix` as the name of a file; the end of a stem that is too long is left away."""
    return cut(stem, LONGEST_NAME - len(os.fsencode(suffix))) + suffix


def _look_at(shown: str) -> None:
    """Find what is wrong with the name itself: too long, a loop of links, below a folder that may not be read."""
    try:
        os.stat(shown)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OutputError(f"{shown}: cannot be written: {error.strerror or error}; choose another output") from error


def _mode_of(path: Path) -> int | None:
    """The permissions of a file that is there."""
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except FileNotFoundError:
        return None


def _set_mode(file: BinaryIO, mode: int | None, *, also: int = 0) -> None:
    if mode is not None and sys.platform != "win32":
        os.fchmod(file.fileno(), mode | also)


@contextmanager
def _full_disks_reported(shown: str) -> Iterator[None]:
    """Only these errors are surely the target's; the block may read other files as well."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OutputError(
            f"{shown}: cannot be written: {error.strerror}; make room or choose another output"
        ) from error


def _publish(temporary: Path, path: Path, shown: str, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        path.hardlink_to(temporary)  # unlike a rename, refuses a target that was made meanwhile
    except FileExistsError:
        raise _made_meanwhile(shown) from None
    except OSError:  # a file system without hard links
        _take_name(temporary, path, shown)


def _take_name(temporary: Path, path: Path, shown: str) -> None:
    """`_publish` by reserving the name with an empty file, which only one program can make."""
    try:
        path.open("xb").close()
    except FileExistsError:
        raise _made_meanwhile(shown) from None
    try:
        temporary.replace(path)
    except BaseException:
        path.unlink()
        raise


def _replaceable(path: Path) -> bool:
    return path.is_file() or not path.exists()


def _exists(shown: str) -> OutputError:
    return OutputError(f"{shown}: this file exists already; allow to overwrite it, or choose another output")


def _made_meanwhile(shown: str) -> OutputError:
    return OutputError(f"{shown}: another program made this file meanwhile, and it is kept; choose another output")
