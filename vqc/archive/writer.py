"""Writing archives: blocks that are on the disk when they are said to be, and an index at the end.

Bytes that are written are never changed, so a process that is killed leaves an archive with every block that it had
finished. The file is locked while it is written.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from vqc.archive.blocks import ArchiveFile, Map
from vqc.atomic import atomic_file, check_target, write_atomically
from vqc.errors import ContainerError, MediaError, OutputError
from vqc.format.archive import (
    ArchiveHeader,
    Index,
    Item,
    write_header,
    write_index,
    write_items,
)

if sys.platform != "win32":
    import fcntl


class ArchiveWriter:
    """Appends blocks of items to an archive; use `create_archive` or `append_to_archive`."""

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO, header: ArchiveHeader, found: Map) -> None:
        self.path, self.header, self._file = os.fspath(path), header, file
        recent = found.places[len(found.places) - found.since :]
        self._unindexed = [(place.length, place.items) for place in recent]
        self._last_index, self._end = found.last_index, found.end
        self._new = not found.last_index

    def write(self, items: Sequence[Item]) -> None:
        """Append a block of items; when this returns they are on the disk.

        Raises:
            OutputError: the disk is full, or the file cannot be written.
            ContainerError: a name cannot be one of an archive.
        """
        if items:
            block = write_items(items)
            self._append(block)
            self._unindexed.append((len(block), len(items)))

    def close(self) -> None:
        """Write the index, if there are blocks that none tells of, and let go of the file."""
        if self._file.closed:
            return
        try:
            if self._unindexed or self._new:
                back = self._end - self._last_index if self._last_index else 0
                start = self._end
                self._append(write_index(Index(back, self._unindexed)))
                self._last_index, self._unindexed, self._new = start, [], False
        finally:
            self._file.close()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, block: bytes) -> None:
        try:
            self._file.seek(self._end)
            self._file.write(block)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written: {error.strerror}; make room and append what is missing"
            ) from error
        self._end += len(block)


def create_archive(path: str | os.PathLike[str], header: ArchiveHeader, *, overwrite: bool = False) -> ArchiveWriter:
    """Begin an archive without items.

    Raises:
        OutputError: the target cannot be written, or exists.
    """
    write_atomically(path, write_header(header), overwrite=overwrite)
    return append_to_archive(path)


def append_to_archive(path: str | os.PathLike[str]) -> ArchiveWriter:
    """Go on with an archive. Of one that is cut short the part after the last whole item is taken away first.

    Raises:
        MediaError: it cannot be read.
        ContainerError: it is no archive, or damaged in the middle.
        OutputError: it cannot be written, or another program writes it.
    """
    check_target(path, overwrite=True)
    file = _locked(path)
    try:
        header, found = _look(path)
        if found.torn:  # whole items in a block that is not: the block is replaced by one of theirs, or nothing is
            _mend(path, header, found)
            file.close()
            file = _locked(path)
            header, found = _look(path)
        if found.cut:
            file.truncate(found.end)
    except BaseException:
        file.close()
        raise
    return ArchiveWriter(path, file, header, found)


def _look(path: str | os.PathLike[str]) -> tuple[ArchiveHeader, Map]:
    source = ArchiveFile(path)
    try:
        header = source.header()
        found = source.find_blocks(header.codec)
    except ContainerError as error:
        raise ContainerError(f"{os.fspath(path)}: {error}") from error
    finally:
        source.close()
    if found.problem and not found.cut:
        raise ContainerError(f"{os.fspath(path)}: {found.problem}; nothing is appended to it")
    return header, found


def _locked(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        file = Path(path).open("r+b")  # noqa: SIM115, the writer closes it
    except FileNotFoundError:
        raise MediaError(f"{os.fspath(path)}: there is no such archive; create it first") from None
    except OSError as error:
        raise OutputError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from error
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise OutputError(f"{os.fspath(path)}: another program is writing this archive; wait for it") from None
        except OSError:
            pass  # a file system without locks
    return file


def _mend(path: str | os.PathLike[str], header: ArchiveHeader, found: Map) -> None:
    """Put a copy in the place of an archive, whose last block has the whole items alone."""
    source = ArchiveFile(path)
    entries = source.entries(found.places[-1], header.codec)
    items = [Item(entry.name, entry.label, entry.shape, source.read(entry.start, entry.length)) for entry in entries]
    with Path(path).open("rb") as whole, atomic_file(path, overwrite=True) as copy:
        shutil.copyfileobj(whole, copy)
        copy.seek(found.end)
        copy.truncate()
        copy.write(write_items(items))
    source.close()
