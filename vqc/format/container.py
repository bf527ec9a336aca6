"""The `.vqc` file, formats 1 and 2. This page is the specification.

    bytes  field     value
    3      magic     "VQC"
    1      version   1, or 2 of a file with fields
    1      codec     kind of model, by its number in vqc/models/kinds.py (odd: image, even: audio); or 255, a picture
                     without a model: see vqc/format/plain.py
    1      mode      low 4 bits: how the codes are written: 0 none (packed bits), 1 static (range coder with the
                     model's order-0 tables), 2 prior (range coder with the model's learned prior)
                     high 4 bits, flags: image: 1 grayscale, 2 alpha; audio: 1 mid/side (of two channels),
                     2 silent chunks (of one channel), 4 channel mask
    1      quality   1..255, as the model understands it
    6      digest    the model: first 6 bytes of the SHA-256 of its kind, config and tensors
    2..18  shape     image: width v, height v; audio: samples per channel v, sample rate v, channels v, and with the
                     flag the channel mask v, as in WAV; without it channels stand as so many usually do.
                     Sample rates 1..13 mean 8000 11025 12000 16000 22050 24000 32000 44100 48000 88200 96000
                     176400 192000 Hz; any other rate is written in Hz.
    ...    fields    only in format 2: their length v, then what vqc/format/metadata.py, index.py, traits.py and
                     stream.py say; with a field of the last one the body is written otherwise
    ...    alpha     only with the alpha flag: its length v, then that many bytes, coded as vqc/format/alpha.py says
    ...    body      the codes, one stream for each image tile or audio chunk, as many as the shape and the model
                     determine: a single stream is the whole body, of several each has its length v before it
    4      checksum  CRC-32 (of zlib, PNG) of all bytes before it, little-endian

v is a number in LEB128: 7 bits a byte, low bits first, 128 added to all bytes but the last, no needless bytes.
Nothing follows the checksum. A small image takes 19 to 21 bytes besides its codes, ten seconds of audio 22 (24 with
an unusual sample rate). A photo of 640 x 480 pixels, coded with static tables at quality 4 into 9 bytes:

    0000  56 51 43 01 03 01 04                 VQC, version 1, photo, static and no flags, quality 4
    0007  9f 1c 02 d7 55 e0                    digest of the model
    000d  80 05 e0 03                          640 = 0x00 + 5 * 128, 480 = 0x60 + 3 * 128
    0011  0b ad c0 de 00 c0 ff ee 2a           body: one stream
    001a  f1 21 de 32                          CRC-32

A file without fields is written in format 1, so that older versions read it too. A reader checks the magic, the version
and the checksum before it believes anything else, and sizes against a limit before anything is allocated.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple

from vqc.errors import ContainerError
from vqc.format.fields import ByteReader, check_size, read_shape, varint, write_shape
from vqc.format.index import FIELD as INDEX
from vqc.format.index import Section, index_length, read_index, section_of, write_index
from vqc.format.metadata import NO_METADATA, Metadata, from_fields, to_fields
from vqc.format.plain import AVIF, LOSSLESS
from vqc.format.plain import CODEC as PLAIN
from vqc.format.shapes import Media, Shape
from vqc.format.stream import (
    FRONT_CHECK_BYTES,
    KNOWN,
    STREAMED,
    check_front,
    chunk_frames_of,
    samples_of,
    split_chunks,
    write_fields,
    write_front_check,
)
from vqc.format.traits import FIELD as TRAITS
from vqc.format.traits import read_traits, write_traits

MAGIC = b"VQC"
ARCHIVE_MAGIC = b"VQCA"  # of another kind of file, which is no .vqc file of format 65
ARCHIVE_ADVICE = "an archive; vqc archive list, extract and verify are for these"
VERSION, VERSION_WITH_FIELDS = 1, 2
Entropy = Literal["none", "static", "prior"]
EntropyOption = Literal["auto", "prior", "static", "none"]  # "auto": the mode of the fewest bytes
ENTROPIES: Mapping[int, Entropy] = MappingProxyType({0: "none", 1: "static", 2: "prior"})
DIGEST_BYTES = 6

CHECKSUM_BYTES = 4
LEAST_BYTES = len(MAGIC) + 4 + DIGEST_BYTES + CHECKSUM_BYTES  # no file has fewer
FRONT_BYTES = 64  # in which every header lies


@dataclass(frozen=True, kw_only=True)
class Header:
    """Everything before the sections: which model, how it was used, and what comes out."""

    codec: int  # number of the kind of model: see `vqc.models.kinds.kind_numbered`
    entropy: Entropy
    quality: int
    digest: bytes  # the first 6 bytes
    shape: Shape

    @property
    def media(self) -> Media:
        """The medium that is restored."""
        return self.shape.media

    @property
    def is_plain(self) -> bool:
        """Whether this is a picture without a model: see `vqc.format.plain`."""
        return self.codec == PLAIN

    @property
    def is_lossless(self) -> bool:
        """Whether every pixel of a picture is kept."""
        return self.is_plain and self.quality == LOSSLESS

    @property
    def has_alpha_section(self) -> bool:
        """Whether alpha stands apart from the body."""
        return self.shape.alpha and (not self.is_plain or self.quality in AVIF)


@dataclass(frozen=True, kw_only=True)
class Container:
    """A whole file. `body` is what `join_streams` or `join_chunks` made; `alpha` is there when the header says so.

    indexed: whether there is an index; only of several streams.
    traits: what the model says once of all of a recording.
    streamed: whether it is written as recordings are that come in; see `vqc.format.stream`.
    """

    header: Header
    body: bytes
    alpha: bytes | None = None
    metadata: Metadata = NO_METADATA
    indexed: bool = False
    traits: bytes = b""
    streamed: bool = False

    def streams(self, count: int) -> Sequence[bytes]:
        """The streams of the body; ContainerError when it does not hold exactly so many."""
        return split_chunks(self.body, count) if self.streamed else split_streams(self.body, count)


class Front(NamedTuple):
    """What stands before the sections of a file."""

    header: Header
    metadata: Metadata
    sections: tuple[Section, ...]  # the index; empty if there is none
    length: int  # bytes
    traits: bytes = b""
    streamed: bool = False  # then the header has 0 samples


def write_container(container: Container) -> bytes:
    """The bytes of a complete `.vqc` file."""
    header = container.header
    assert len(header.digest) == DIGEST_BYTES, "six bytes of the digest"
    assert 1 <= header.quality <= 255, "quality fits its byte"
    assert header.has_alpha_section == (container.alpha is not None), (
        "the alpha flag says whether there is an alpha section"
    )
    front = _write_front(container)
    alpha = [] if container.alpha is None else [varint(len(container.alpha)), container.alpha]
    content = b"".join([front, *alpha, container.body])
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def streamed_front(header: Header, metadata: Metadata = NO_METADATA) -> bytes:
    """The beginning of a streamed file, up to its first chunk."""
    return _write_front(Container(header=header, body=b"", metadata=metadata, streamed=True))


def read_container(data: bytes, *, limit: int | None = None) -> Container:
    """The container that `write_container` wrote as `data`.

    Args:
        data: a complete file.
        limit: largest plausible number of pixels (default 2^28) or of samples per channel (default 2^36).

    Raises:
        ContainerError: not a `.vqc` file, of another version, damaged, or larger than the limit.
    """
    _check_front(data)
    if zlib.crc32(data[:-CHECKSUM_BYTES]) != int.from_bytes(data[-CHECKSUM_BYTES:], "little"):
        advice = "" if _is_plain(data) else ", or restore what is whole with vqc decompress --salvage"
        raise ContainerError(
            f"the .vqc file is damaged or cut short: its checksum does not match; get it again{advice}"
        )
    front = read_front(data, limit=limit)
    reader = ByteReader(data[front.length : -CHECKSUM_BYTES])
    if front.length > len(data) - CHECKSUM_BYTES:
        raise reader.damaged("header")
    if front.streamed:
        body = reader.rest()
        shape = front.header.shape.of_chunks(front.header.shape.chunk_frames, samples_of(body))
        check_size(shape, limit)
        header = replace(front.header, shape=shape)
        return Container(header=header, body=body, metadata=front.metadata, traits=front.traits, streamed=True)
    alpha = reader.take(reader.varint("length of alpha"), "alpha") if front.header.has_alpha_section else None
    container = Container(
        header=front.header,
        alpha=alpha,
        body=reader.rest(),
        metadata=front.metadata,
        indexed=bool(front.sections),
        traits=front.traits,
    )
    if front.sections and front.sections != tuple(map(section_of, _sections(container))):
        raise reader.damaged("index")
    return container


def _is_plain(data: bytes) -> bool:
    """Whether a damaged file seems to hold a picture without codes, of which no part can be restored."""
    with suppress(ContainerError):
        return peek_header(data).is_plain
    return False


def front_length(data: bytes, *, limit: int | None = None) -> int:
    """Length of what stands before the sections of a file, in bytes, by its first `FRONT_BYTES`.

    Raises:
        ContainerError: as `peek_header`.
    """
    _check_front(data)
    reader = ByteReader(data[len(MAGIC) + 1 :])
    _read_header(reader, limit, data[len(MAGIC)])
    fields = reader.varint("length of the fields") if data[len(MAGIC)] == VERSION_WITH_FIELDS else 0
    return len(data) - reader.left + fields


def read_front(data: bytes, *, limit: int | None = None) -> Front:
    """What stands before the sections of a file, by at least as many bytes as `front_length` says.

    An index is sure: it has a checksum of its own. Without one the front is as sure as who gives it knows.

    Raises:
        ContainerError: as `peek_header`; or metadata or index are damaged.
    """
    _check_front(data)
    reader = ByteReader(data[len(MAGIC) + 1 :])
    header = _read_header(reader, limit, data[len(MAGIC)])
    if data[len(MAGIC)] == VERSION:
        return Front(header, NO_METADATA, (), len(data) - reader.left)
    section = ByteReader(reader.take(reader.varint("length of the fields"), "fields"))
    length, fields, sections = len(data) - reader.left, dict[int, bytes](), tuple[Section, ...]()
    while section.left or not fields:
        number = section.varint("number of a field")
        if number <= max(fields, default=0):
            raise section.damaged("fields")
        fields[number] = section.take(section.varint("length of a field"), "field")
        before = data[: length - section.left - len(fields[number])]
        if number == INDEX:
            sections = read_index(fields[number], before)
            if len(sections) < 2 + header.has_alpha_section:
                raise section.damaged("index")
        elif number == STREAMED:
            check_front(fields[number], before)
    if fields.keys() & KNOWN:
        header = replace(header, shape=header.shape.of_chunks(chunk_frames_of(fields), header.shape.size))
    streamed = STREAMED in fields
    if streamed != (header.shape.size == 0) or (streamed and (sections or not header.shape.tells_silence)):
        raise section.damaged("number of samples")
    traits = read_traits(fields.pop(TRAITS)) if TRAITS in fields else b""
    return Front(header, from_fields(fields), sections, length, traits, streamed)


def peek_header(front: bytes, *, limit: int | None = None) -> Header:
    """The header of a file by its first `FRONT_BYTES` alone, to plan by: the checksum is not looked at.

    Raises:
        ContainerError: not a `.vqc` file, of another version, larger than the limit, or certainly damaged.
    """
    _check_front(front)
    return _read_header(ByteReader(front[len(MAGIC) + 1 :]), limit, front[len(MAGIC)])


def _read_header(reader: ByteReader, limit: int | None, version: int) -> Header:
    codec = reader.byte("codec")
    mode = reader.byte("mode")
    if mode & 15 not in ENTROPIES:
        raise ContainerError(
            f"the .vqc file uses entropy mode {mode & 15}, which this version does not know; update vqc"
        )
    quality = reader.byte("quality")
    if quality == 0:
        raise reader.damaged("quality")
    digest = reader.take(DIGEST_BYTES, "digest")
    shape = read_shape(reader, codec, mode >> 4)
    if shape.size or version == VERSION or not shape.may_be_streamed:
        check_size(shape, limit)
    return Header(codec=codec, entropy=ENTROPIES[mode & 15], quality=quality, digest=digest, shape=shape)


def _write_front(container: Container) -> bytes:
    """Everything before the sections."""
    header, shape = container.header, container.header.shape
    contents = to_fields(container.metadata) | write_fields(shape.chunk_frames)
    contents |= {TRAITS: write_traits(container.traits)} if container.traits else {}
    sealed = dict[int, tuple[int, Callable[[bytes], bytes]]]()  # length, and content after these bytes
    if container.indexed:
        sections = _sections(container)
        sealed[INDEX] = index_length(sections), partial(write_index, sections)
    if container.streamed:
        shape, sealed[STREAMED] = shape.of_chunks(shape.chunk_frames, 0), (FRONT_CHECK_BYTES, write_front_check)
    lengths = {number: len(content) for number, content in contents.items()}
    lengths |= {number: length for number, (length, _) in sealed.items()}
    total = sum(len(_field(number, length)) + length for number, length in lengths.items())
    mode = next(code for code, name in ENTROPIES.items() if name == header.entropy)
    parts = bytes([VERSION_WITH_FIELDS if total else VERSION, header.codec, mode | shape.flags() << 4, header.quality])
    front = MAGIC + parts + header.digest + write_shape(shape) + (varint(total) if total else b"")
    for number, length in sorted(lengths.items()):
        front += _field(number, length)
        front += contents[number] if number in contents else sealed[number][1](front)
    return front


def _field(number: int, length: int) -> bytes:
    """What stands before the content of a field."""
    return varint(number) + varint(length)


def _sections(container: Container) -> list[bytes]:
    """Alpha, if there is any, and the streams of a container of several."""
    reader, sections = ByteReader(container.body), [] if container.alpha is None else [container.alpha]
    while reader.left:
        sections.append(reader.take(reader.varint("length of a stream"), "stream"))
    return sections


def join_streams(streams: Sequence[bytes]) -> bytes:
    """The body of at least one stream."""
    assert streams, "at least one stream"
    if len(streams) == 1:
        return streams[0]
    return b"".join(part for stream in streams for part in (varint(len(stream)), stream))


def split_streams(body: bytes, count: int) -> list[bytes]:
    """The `count` streams of a body, where the reader knows `count` from the shape and the model.

    Raises:
        ContainerError: the body does not hold exactly so many streams.
    """
    assert count >= 1, "at least one stream"
    if count == 1:
        return [body]
    if len(body) < count:  # before a long loop
        raise ContainerError(f"the .vqc file has no room for its {count:,} streams; it is damaged, get it again")
    reader = ByteReader(body)
    streams = [reader.take(reader.varint("length of a stream"), "stream") for _ in range(count)]
    if reader.rest():
        raise ContainerError(f"the .vqc file holds more than its {count:,} streams; it is damaged, get it again")
    return streams


def _check_front(data: bytes) -> None:
    """Raise ContainerError unless this is the front of a file of a version that can be read."""
    if not data:
        raise ContainerError("the .vqc file is empty; get it again")
    if data[: len(MAGIC)] != MAGIC:
        raise ContainerError("this is not a .vqc file: it does not begin with the letters VQC")
    if data[: len(ARCHIVE_MAGIC)] == ARCHIVE_MAGIC:
        raise ContainerError(f"this is {ARCHIVE_ADVICE}")
    if len(data) < LEAST_BYTES:
        raise ContainerError(f"the .vqc file is cut short: {len(data)} bytes cannot hold a header; get it again")
    if data[len(MAGIC)] not in (VERSION, VERSION_WITH_FIELDS):
        raise ContainerError(
            f"the .vqc file has format {data[len(MAGIC)]}, and this version reads {VERSION} and "
            f"{VERSION_WITH_FIELDS}; update vqc"
        )
