"""The hidden files that hold a result until it is whole, and the removal of those that dead processes left.

    .photo.vqc.4f1c09aa-9d3e07b1c2d4.vqc-part
     target    host     random

A process holds a lock on its partial files, and the system lets go of it when the process ends, however it ends. So
one that can be locked is nobody's and is removed. Of other machines' files in a shared folder locks may say nothing:
they must also have been left alone for a day.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import secrets
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

SUFFIX = ".vqc-part"
CLOSED_BEFORE_RENAMED = sys.platform == "win32"  # which renames no open file, and removes none either

_NAME = re.compile(r"\..*\.([0-9a-f]{8})-[0-9a-f]{12}" + re.escape(SUFFIX), re.DOTALL)
_TARGET_BYTES = 100  # of the target's name; file systems allow 255 and some 143 for the whole
_ELSEWHERE_SECONDS = 24 * 3600.0
_RENAMING_SECONDS = 60.0  # that a file may lie closed, where it cannot be renamed open


def make_partial(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `target`, open for writing and reading, that no other process will remove.

    Raises:
        OSError: the folder is missing, full or read-only.
    """
    sweep_once(target.parent)
    while True:
        path = target.with_name(f".{cut(target.name, _TARGET_BYTES)}.{_host()}-{secrets.token_hex(6)}{SUFFIX}")
        # "x": never an existing file. Not `tempfile`, whose files nobody else may read, even under their final name.
        file = path.open("x+b")
        if _lock(file.fileno()) is not False and path.exists():
            return path, file
        file.close()  # another process swept it away before it was locked


@functools.cache
def sweep_once(folder: Path) -> None:
    """`sweep`, the first time that this process writes to a folder."""
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove the partial files in a folder that no living process is writing."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        found = [(Path(entry.path), match[1]) for entry in entries if (match := _NAME.fullmatch(entry.name))]
    for path, host in found:
        with suppress(OSError):  # another user's, or swept by another process at the same moment
            if host == _host() or time.time() - path.stat().st_mtime > _ELSEWHERE_SECONDS:
                _remove_if_left(path)


def cut(name: str, most: int) -> str:
    """Cut a name to at most this number of bytes in a file system, without a letter in pieces."""
    whole = os.fsencode(name)
    return name if len(whole) <= most else whole[:most].decode("utf-8", "ignore")


def _remove_if_left(path: Path) -> None:
    if CLOSED_BEFORE_RENAMED:
        if time.time() - path.stat().st_mtime > _RENAMING_SECONDS:
            path.unlink()  # refused while the file is open
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if _lock(descriptor):
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Return whether the file is locked now by this process; None where the file system has no locks."""
    if sys.platform == "win32":
        return None
    else:  # noqa: RET505, mypy reads only one of the branches
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True


@functools.cache
def _host() -> str:
    return f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"
