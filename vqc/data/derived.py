"""Derived data, made once and kept in the user's cache: decoded sets, codes, pitch.

folder.parent/.<name>.lock    held by the process that makes it; the others wait
              .new-…/         where it is made
              <name>/         there whole or not at all
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from vqc.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: two processes that start at once may both make it, and one result is thrown away
    fcntl = None  # type: ignore[assignment]

Progress = Callable[[int, int], None]  # told how many are done, and how many there are
Kept = TypeVar("Kept")


def make_once(
    folder: Path, read: Callable[[Path], Kept], write: Callable[[Path], None], *, what: str = "derived data"
) -> Kept:
    """Return what `read` finds in a folder of the cache, after `write` has filled it if that was not done before.

    Args:
        read: OSError or ValueError when the folder is missing or not whole.
        write: fills an empty folder.
        what: how the error calls it.

    Raises:
        OutputError: the cache cannot be written.
    """
    with suppress(OSError, ValueError):
        return read(folder)
    try:
        with exclusive(folder.parent, folder.name):
            with suppress(OSError, ValueError):  # made by another process meanwhile
                return read(folder)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent, ignore_cleanup_errors=True) as beside:
                new = Path(beside) / "new"
                new.mkdir()
                write(new)
                shutil.rmtree(folder, ignore_errors=True)  # one that is not whole
                new.replace(folder)
    except OSError as error:
        raise OutputError(
            f"{folder.parent}: the {what} cannot be written: {error.strerror or error};"
            " make room or set XDG_CACHE_HOME to a folder on another disk"
        ) from error
    return read(folder)


@contextmanager
def exclusive(folder: Path, task: str) -> Iterator[None]:
    """Let one of several processes in at a time, as torchrun starts them; the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{task}.lock").open("w") as file:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
