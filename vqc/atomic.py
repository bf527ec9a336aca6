"""Files that appear whole or not at all.

A result is written to a hidden file beside its target, flushed to the disk and then given the target's name. Whatever
goes wrong before that, Ctrl-C included, removes the hidden file and leaves the target as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vqc.errors import OutputError


def check_target(target: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """The target with links followed, once it is known that it may be written. Call it before slow work.

    Raises:
        OutputError: the target exists (and `overwrite` is not set), is a folder, or its folder is missing or read-only.
    """
    shown, path = os.fspath(target), Path(os.path.realpath(target))
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
def atomic_file(target: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file, open for writing and reading bytes, that becomes `target` when the block ends without an exception.

    A target that is no regular file (a device, a pipe) is written to directly: there is nothing to replace.

    Raises:
        OutputError: see `check_target`; also when the disk is full, or another program made the target meanwhile.
    """
    path, shown = check_target(target, overwrite=overwrite), os.fspath(target)
    with _full_disks_reported(shown):
        if not _replaceable(path):
            with path.open("wb") as file:
                yield file
            return
        temporary, new_file = _make_beside(path, shown)
        try:
            with new_file:
                yield new_file
                new_file.flush()
                os.fsync(new_file.fileno())
            _publish(temporary, path, shown, overwrite=overwrite)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def write_atomically(target: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Makes `target` a file with these bytes, whole or not at all. Raises what `atomic_file` does."""
    with atomic_file(target, overwrite=overwrite) as file:
        file.write(data)


def _make_beside(path: Path, shown: str) -> tuple[Path, BinaryIO]:
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        # "x": never an existing file. Not `tempfile`, whose files nobody else may read, even under their final name.
        return temporary, temporary.open("x+b")
    except OSError as error:
        raise OutputError(f"{shown}: cannot be written: {error.strerror or error}") from error


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
    if not overwrite:
        try:
            path.hardlink_to(temporary)  # unlike a rename, refuses a target that was made meanwhile
        except FileExistsError:
            raise _exists(shown) from None
        except OSError:  # a file system without hard links
            if path.exists():
                raise _exists(shown) from None
        else:
            return
    temporary.replace(path)


def _replaceable(path: Path) -> bool:
    return path.is_file() or not path.exists()


def _exists(shown: str) -> OutputError:
    return OutputError(f"{shown}: this file exists already; allow to overwrite it, or choose another output")
