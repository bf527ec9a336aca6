"""The index of a long file, field 5 of format 2: a part is restored without the rest, and damage costs itself alone.

For each section of the file that comes after its fields, which are alpha (if there is any) and the streams:

    v    its length
    2    low half of the CRC-32 of its bytes, little-endian

and then

    4    CRC-32 of all bytes of the file before these four, little-endian

so that a reader that seeks can believe the header and the index, though it does not see the checksum of the file.
Streams have their lengths before them as without an index. An index is of two streams or more. It is written for audio
of more than 3 chunks and images of more than 3 tiles; files without are as good, only that readers of a part read all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from vqc.errors import ContainerError
from vqc.format.fields import ByteReader, varint

FIELD = 5
MOST_WITHOUT = 3  # streams of files without an index
_CHECK_BYTES, _CHECKSUM_BYTES = 2, 4

ReadAt = Callable[[int, int], bytes]  # so many bytes of a file from a position on, or fewer where it ends


class Section(NamedTuple):
    """An entry of the index."""

    length: int  # in bytes
    check: int  # low half of the CRC-32


def section_of(data: bytes) -> Section:
    """The entry of these bytes."""
    return Section(len(data), zlib.crc32(data) & 0xFFFF)


def index_length(sections: Sequence[bytes]) -> int:
    """Length of the field of these sections, in bytes."""
    return sum(len(varint(len(data))) + _CHECK_BYTES for data in sections) + _CHECKSUM_BYTES


def write_index(sections: Sequence[bytes], before: bytes) -> bytes:
    """The field of these sections, in a file that has the bytes `before` before it."""
    entries = map(section_of, sections)
    content = b"".join(varint(entry.length) + entry.check.to_bytes(_CHECK_BYTES, "little") for entry in entries)
    return content + zlib.crc32(before + content).to_bytes(_CHECKSUM_BYTES, "little")


def read_index(content: bytes, before: bytes) -> tuple[Section, ...]:
    """The entries of a field, in a file that has the bytes `before` before it.

    Raises:
        ContainerError: they, or what is before, are damaged.
    """
    entries = ByteReader(content[:-_CHECKSUM_BYTES])
    checksum = zlib.crc32(before + content[:-_CHECKSUM_BYTES])
    if content[-_CHECKSUM_BYTES:] != checksum.to_bytes(_CHECKSUM_BYTES, "little"):
        raise entries.damaged("index")
    sections = []
    while entries.left:
        length = entries.varint("length of a section")
        sections.append(Section(length, int.from_bytes(entries.take(_CHECK_BYTES, "index"), "little")))
    return tuple(sections)


class Streams(Protocol):
    """The streams of a file, taken one by one; lists of bytes are such, too."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> bytes: ...


class IndexedStreams:
    """The streams of a file, read where they are when they are asked for, and checked.

    Args:
        sections: of the streams alone.
        start: of the first of them, with its length before it.

    Raises (when a stream is asked for):
        ContainerError: this one is damaged, or the file ends before.
    """

    def __init__(self, read_at: ReadAt, sections: Sequence[Section], start: int) -> None:
        self._read_at, self._sections = read_at, sections
        ends = accumulate((len(varint(each.length)) + each.length for each in sections), initial=start)
        self._starts = [end - each.length for end, each in zip([*ends][1:], sections, strict=True)]

    def __len__(self) -> int:
        return len(self._sections)

    def __getitem__(self, index: int, /) -> bytes:
        return read_section(self._read_at, self._sections[index], self._starts[index], "stream")


class FoundStreams:
    """As many of `count` streams of a body that may be damaged as their lengths lead to; asking for others raises."""

    def __init__(self, body: bytes, count: int) -> None:
        self._count, self._streams, reader = count, list[bytes](), ByteReader(body)
        try:
            while len(self._streams) < count:
                self._streams.append(reader.rest() if count == 1 else reader.take(reader.varint("length"), "stream"))
        except ContainerError:
            return

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> bytes:
        if index >= len(self._streams):
            raise ContainerError("the .vqc file is damaged: a stream is missing; get it again")
        return self._streams[index]


def read_section(read_at: ReadAt, section: Section, start: int, what: str) -> bytes:
    """The bytes of a section.

    Raises:
        ContainerError: they are not those of the index.
    """
    data = read_at(start, section.length)
    if section_of(data) != section:
        raise ContainerError(f"the .vqc file is damaged: its {what} does not match its checksum; get it again")
    return data
