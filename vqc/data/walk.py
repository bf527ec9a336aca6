"""Files below a folder, by one rule for every command.

Hidden names are passed over. Links are followed, to files and to folders, and every name counts; only where a folder
lies in itself the way ends:   photos/loop → photos
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vqc.errors import MediaError


class FolderListing(NamedTuple):
    """One folder."""

    below: str  # where it lies, from the folder that the walk began in, in posix form; "" for that one
    real: str  # the path without links
    files: list[str]  # names of what is no folder, sorted, links that lead nowhere included

    @property
    def paths(self) -> list[str]:
        """Paths of the files from the folder that the walk began in, in posix form."""
        return [f"{self.below}/{name}" if self.below else name for name in self.files]


def walk(folder: Path, unreadable: Callable[[OSError], object]) -> Iterator[FolderListing]:
    """The folder and every one below it, in order of name; `unreadable` is told of those that may not be read."""
    above: dict[str, frozenset[str]] = {}  # of folders still to come: what they lie in
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        real, lineage = os.path.realpath(parent), above.pop(parent, frozenset())
        if real in lineage:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        above.update((os.path.join(parent, name), lineage | {real}) for name in folders)  # noqa: PTH118, as os.walk does
        below = Path(parent).relative_to(folder).as_posix()
        yield FolderListing("" if below == "." else below, real, sorted(name for name in files if not is_hidden(name)))


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder. MediaError when a folder may not be read: to measure, a part is not enough."""

    def refuse(error: OSError) -> None:
        raise MediaError(f"{error.filename}: cannot be read: {error.strerror or error}")

    return (folder / name for place in walk(folder, refuse) for name in place.paths)


def is_hidden(name: str) -> bool:
    """Names that begin with a point, and what macOS adds to archives."""
    return name.startswith((".", "__MACOSX"))
