"""A `.vqc` file as its streams are read: all of it and its checksum, here and there by its index, or what is whole."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from vqc.codec.inspect.verify import read_vqc
from vqc.errors import ContainerError, MediaError
from vqc.format.container import CHECKSUM_BYTES, FRONT_BYTES, Front, Header, front_length, read_container, read_front
from vqc.format.fields import ByteReader, varint
from vqc.format.index import FoundStreams, IndexedStreams, ReadAt, Streams, read_section
from vqc.format.metadata import Metadata

VqcSource = str | os.PathLike[str] | bytes | BinaryIO


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of which streams are read when they are asked for.

    size: of all of it, in bytes.
    traits: what the model says once of all of a recording.
    alpha: None also where it is damaged.
    streams: as of `vqc.codec.segments.StreamSource`.
    is_whole: whether its checksum matches, as far as it was looked at.
    is_checked: whether all streams that are damaged are known to be.
    """

    header: Header
    metadata: Metadata
    size: int
    traits: bytes
    alpha: bytes | None
    streams: Callable[[int], Streams]
    is_whole: bool = True
    is_checked: bool = True


def whole_file(source: VqcSource, limit: int | None) -> StoredFile:
    """All of a file, its checksum verified.

    Raises:
        MediaError: it cannot be read.
        ContainerError: it is no `.vqc` file, damaged, or over the limit.
    """
    data = read_vqc(source)
    container = read_container(data, limit=limit)
    return StoredFile(
        header=container.header,
        metadata=container.metadata,
        size=len(data),
        traits=container.traits,
        alpha=container.alpha,
        streams=container.streams,
    )


@contextmanager
def part_of_file(source: VqcSource, limit: int | None) -> Iterator[StoredFile]:
    """A file of which no more is read than what is asked for, if it has an index; else all of it.

    Raises:
        MediaError: it cannot be read.
        ContainerError: it is no `.vqc` file, damaged, or over the limit.
    """
    with _opened(source) as (file, size):
        read_at = _reader_of(file, size)
        try:
            front = _front(read_at, limit)
        except ContainerError:
            front = None  # reading all of it says what is wrong
        if front is None or not front.sections or front.header.has_alpha_section:
            file.seek(0)
            yield whole_file(file.read(), limit)
        else:
            yield _indexed(front, read_at, size)


def rest_of_file(source: VqcSource, limit: int | None) -> StoredFile:
    """What is whole of a file; a damaged stream raises when it is asked for.

    Raises:
        MediaError: it cannot be read.
        ContainerError: it is no `.vqc` file, over the limit, or its front is damaged.
    """
    data = read_vqc(source)
    try:
        return whole_file(data, limit)
    except ContainerError:
        read_at = _reader_of(io.BytesIO(data), len(data))
        front = _front(read_at, limit)
    if front.streamed:
        raise ContainerError("the .vqc file is damaged, and of a kind of which no part can be had; restore all of it")
    return replace(_indexed(front, read_at, len(data)), is_whole=False) if front.sections else _found(front, data)


def _front(read_at: ReadAt, limit: int | None) -> Front:
    return read_front(read_at(0, front_length(read_at(0, FRONT_BYTES), limit=limit) + CHECKSUM_BYTES), limit=limit)


def _indexed(front: Front, read_at: ReadAt, size: int) -> StoredFile:
    """The file with this front, which has an index."""
    sections, start, alpha = front.sections, front.length, None
    if front.header.has_alpha_section:
        first, *rest = front.sections
        sections, start = tuple(rest), start + len(varint(first.length))
        with suppress(ContainerError):
            alpha = read_section(read_at, first, start, "alpha")
        start += first.length

    def streams(count: int) -> Streams:
        if len(sections) != count:
            raise ContainerError(f"the .vqc file has no index of its {count:,} streams; it is damaged, get it again")
        return IndexedStreams(read_at, sections, start)

    return StoredFile(
        header=front.header,
        metadata=front.metadata,
        size=size,
        traits=front.traits,
        alpha=alpha,
        streams=streams,
    )


def _found(front: Front, data: bytes) -> StoredFile:
    """The damaged file with this front, without an index."""
    reader, alpha = ByteReader(data[front.length : -CHECKSUM_BYTES]), None
    try:
        alpha = reader.take(reader.varint("length of alpha"), "alpha") if front.header.has_alpha_section else None
    except ContainerError:
        reader.rest()  # nobody knows where streams begin
    body = reader.rest()
    return StoredFile(
        header=front.header,
        metadata=front.metadata,
        size=len(data),
        traits=front.traits,
        alpha=alpha,
        streams=lambda count: FoundStreams(body, count),
        is_whole=False,
        is_checked=False,
    )


def _reader_of(file: BinaryIO, size: int) -> ReadAt:
    def read_at(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(min(length, size))  # a length that is claimed takes no memory

    return read_at


@contextmanager
def _opened(source: VqcSource) -> Iterator[tuple[BinaryIO, int]]:
    """The source as a file that can seek, and its size."""
    if not isinstance(source, str | os.PathLike):
        data = read_vqc(source)
        yield io.BytesIO(data), len(data)
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115, an error of who uses it is not one of opening it
    except OSError as error:
        raise MediaError(f"{os.fspath(source)}: cannot be read: {error.strerror or error}") from error
    with file:
        held = file if file.seekable() else io.BytesIO(file.read())
        yield held, held.seek(0, os.SEEK_END)
