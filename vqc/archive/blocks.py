"""The blocks of an archive file, found by its index or, without one, from the front; and items read by their place."""

from __future__ import annotations

import os
from typing import NamedTuple

from vqc.errors import ContainerError, MediaError
from vqc.format.archive import (
    HEAD_BYTES,
    HEADER_BYTES,
    INDEX,
    ITEMS,
    TRAILER_BYTES,
    ArchiveHeader,
    BlockHead,
    Entry,
    read_entries,
    read_head,
    read_header,
    read_index,
    trailer_length,
)


class Place(NamedTuple):
    """A block of items."""

    start: int  # in the file
    length: int
    items: int  # that are whole


class Map(NamedTuple):
    """The blocks of an archive.

    places: of the blocks of items.
    since: how many of the last of them no index tells of.
    last_index: where the last index begins; 0: there is none.
    end: of the last whole block.
    torn: the last of them begins at `end` and is cut short.
    cut: the file ends within a block that begins at `end`.
    problem: why what comes after the last whole item is not read; "": nothing comes.
    """

    places: list[Place]
    since: int
    last_index: int
    end: int
    torn: bool = False
    cut: bool = False
    problem: str = ""


class ArchiveFile:
    """An archive on disk, open for reading; each process has a handle of its own.

    Raises (when something is read):
        MediaError: the file cannot be read.
        ContainerError: it is no archive, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._process, self._descriptor = 0, -1

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the file, fewer where it ends."""
        try:
            if self._process != os.getpid():  # a handle that came by a fork moves with that of the parent
                self.close()
                self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                self._process = os.getpid()
            os.lseek(self._descriptor, start, os.SEEK_SET)
            parts = list[bytes]()
            while length and (part := os.read(self._descriptor, length)):
                parts.append(part)
                length -= len(part)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        return b"".join(parts)

    def size(self) -> int:
        """Length of the file in bytes."""
        self.read(0, 0)
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Let go of the file; it is opened again when something is read."""
        if self._process == os.getpid():
            os.close(self._descriptor)
        self._process, self._descriptor = 0, -1

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_process": 0, "_descriptor": -1}

    def __del__(self) -> None:
        self.close()

    def header(self) -> ArchiveHeader:
        """The header of the archive."""
        front = self.read(0, HEADER_BYTES)
        if not front:
            raise ContainerError("the archive is empty; get it again")
        return read_header(front)

    def entries(self, place: Place, codec: int) -> list[Entry]:
        """The directory of a block, of the items that are whole."""
        head, front = self._block(place.start)
        if head.kind != ITEMS or head.length != place.length:
            raise ContainerError("the archive is damaged: its index does not fit its blocks; get it again")
        entries = read_entries(front, head, codec, place.start + head.front)
        if place.items > len(entries):
            raise ContainerError("the archive is damaged: its index does not fit its blocks; get it again")
        return entries[: place.items]

    def find_blocks(self, codec: int) -> Map:
        """The blocks: by the index at the end or, where there is none, from the front."""
        size = self.size()
        return self._by_index(size) or self._from_front(size, codec)

    def _by_index(self, size: int) -> Map | None:
        """The blocks by the index at the end; None where there is none."""
        length = trailer_length(self.read(max(size - TRAILER_BYTES, 0), TRAILER_BYTES))
        if length is None:
            return None
        start, groups = size - TRAILER_BYTES - length, list[list[Place]]()
        first = start
        try:
            while True:
                head, front = self._block(start) if start >= HEADER_BYTES else (None, b"")
                if head is None or head.kind != INDEX:
                    return None
                index, end = read_index(front, head), start
                group = list[Place]()
                for block, items in reversed(index.blocks):
                    end -= block
                    group.append(Place(end, block, items))
                groups.append(group)
                before = start - index.back if index.back else 0
                if end < max(HEADER_BYTES, before + 1):
                    return None
                if not before:
                    return Map([p for group in reversed(groups) for p in reversed(group)], 0, first, size)
                start = before
        except ContainerError:
            return None

    def _from_front(self, size: int, codec: int) -> Map:
        """The blocks one by one, as far as they are whole."""
        places, since, last_index, at = list[Place](), 0, 0, HEADER_BYTES
        while at < size:
            try:
                head, front = self._block(at)
                if len(front) < head.front or (head.kind == INDEX and at + head.length > size):
                    return Map(places, since, last_index, at, cut=True, problem=_cut(size - at))
                if head.kind == INDEX:
                    read_index(front, head)
                    since, last_index, at = 0, at, at + head.length
                    continue
                entries = read_entries(front, head, codec)
            except ContainerError as error:
                if size - at < HEAD_BYTES:
                    return Map(places, since, last_index, at, cut=True, problem=_cut(size - at))
                return Map(places, since, last_index, at, problem=str(error))
            whole = [entry for entry in entries if at + head.front + entry.start + entry.length <= size]
            if whole:
                places.append(Place(at, head.length, len(whole)))
                since += 1
            if at + head.length > size:
                rest = size - at - (head.front + whole[-1].start + whole[-1].length if whole else 0)
                return Map(places, since, last_index, at, torn=bool(whole), cut=True, problem=_cut(rest))
            at += head.length
        return Map(places, since, last_index, at)

    def _block(self, start: int) -> tuple[BlockHead, bytes]:
        """The head of a block, and its bytes before the data as far as they are there."""
        head = read_head(self.read(start, HEAD_BYTES))
        if head.directory > self.size():  # before it is asked for
            return head, b""
        return head, self.read(start, head.front)


def _cut(extra: int) -> str:
    return f"the archive ends within a block: its last {extra:,} bytes are not read; what is before them is whole"
