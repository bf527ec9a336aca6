"""A recording that is written while it comes in: fields 129 and 130 of format 2, which a reader must know.

    129  chunks    frames v of the core of a chunk, fewer than vqc/format/chunking.py says; at least the model's halo
    130  streamed  4: CRC-32 of all bytes of the file before these four, little-endian

With field 130 the header has 0 samples, a single channel tells what is silent (flag 2), there is no index, and what
comes after the fields is for each chunk

    v    length of its stream, at least 1
    ...  its stream
    2    low half of the CRC-32 of the stream, little-endian

and before the length of the last chunk

    1    0
    v    samples per channel of the recording

Then comes the checksum of the file, as ever. So a reader knows the length of every chunk once it is there, restores it
when the next one is, and of a file that ends before its end all chunks but those that are missing. Field 129 may stand
alone: the chunks of a file of known length are shorter then. Here 2.5 seconds of which the last half is silent:

    0000  56 51 43 02 04 22 05                 VQC, version 2, speech, prior and flag 2, quality 5
    0007  33 e4 9e c4 d4 44                    digest of the model
    000d  00 04 01                             0 samples, 16 kHz, one channel
    0010  0b                                   11 bytes of fields
    0011  81 01 01 19                          field 129: 25 frames
    0015  82 01 04 6f 44 0d cd                 field 130: CRC-32 of what is before it
    001c  03 01 c0 de b8 9b                    first chunk: a channel that sounds, its codes, check
    0022  00 c0 b8 02                          the last one comes: 40,000 samples
    0026  01 00 8d ef                          last chunk: a channel that is silent, check
    002a  e9 1c e0 58                          CRC-32
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vqc.errors import ContainerError
from vqc.format.fields import VARINT_BYTES, ByteReader, varint

CHUNKS, STREAMED = 129, 130  # numbers of fields
KNOWN = frozenset({CHUNKS, STREAMED})
_CHECK_BYTES, _CHECKSUM_BYTES = 2, 4
_MOST_FRAMES = 2**16  # of a chunk; the usual ones have no more
_PIECE = 2**20  # bytes that are read at once: a length that is claimed takes no memory

Read = Callable[[int], bytes]  # so many bytes more, or fewer where they end


class StreamedChunk(NamedTuple):
    """A chunk as it comes in.

    stream: None where it is damaged.
    samples: of the whole recording, with its last chunk.
    """

    stream: bytes | None
    samples: int | None = None


def write_chunk(stream: bytes, samples: int | None = None) -> bytes:
    """A chunk with this stream; with the last one come the samples of the recording."""
    assert stream, "the stream of a chunk tells what is silent"
    end = b"" if samples is None else varint(0) + varint(samples)
    return end + varint(len(stream)) + stream + _check(stream)


def join_chunks(streams: Sequence[bytes], samples: int) -> bytes:
    """The body of a recording with these streams."""
    *before, last = streams
    return b"".join([*map(write_chunk, before), write_chunk(last, samples)])


def split_chunks(body: bytes, count: int) -> list[bytes]:
    """The streams of a whole body, which must be so many; ContainerError when they are not, or damaged."""
    streams, _ = _all_of(body)
    if len(streams) != count:
        raise _damaged("number of chunks")
    return streams


def samples_of(body: bytes) -> int:
    """The samples per channel of the recording with this body; ContainerError when it is not whole."""
    return _all_of(body)[1]


def _all_of(body: bytes) -> tuple[list[bytes], int]:
    """The streams of a whole body, and the samples of the recording."""
    file, streams, samples = io.BytesIO(body), list[bytes](), None
    for chunk in read_chunks(file.read):
        if chunk.stream is None:
            raise _damaged("stream")
        streams.append(chunk.stream)
        samples = chunk.samples
    if samples is None or file.tell() < len(body):
        raise _damaged("last chunk")
    return streams, samples


def read_chunks(read: Read) -> Iterator[StreamedChunk]:
    """Read chunk after chunk. Where the bytes end too early there is none that has the samples.

    Raises:
        ContainerError: there is no telling where the next chunk begins.
    """
    samples = None
    while samples is None:
        length = _number(read)
        if length == 0:
            samples = _number(read)
            if samples == 0:
                raise _damaged("number of samples")
            length = _number(read)
            if length == 0:
                raise _damaged("length of a stream")
        if length is None:
            return
        stream, check = read_up_to(read, length), read_up_to(read, _CHECK_BYTES)
        if len(check) < _CHECK_BYTES:
            return
        yield StreamedChunk(stream if check == _check(stream) else None, samples)


def write_fields(chunk_frames: int | None) -> dict[int, bytes]:
    """The field of chunks of a file, if there is any."""
    return {} if chunk_frames is None else {CHUNKS: varint(chunk_frames)}


def chunk_frames_of(fields: Mapping[int, bytes]) -> int | None:
    """What the field of chunks says, if there is any.

    Raises:
        ContainerError: it is damaged.
    """
    if CHUNKS not in fields:
        return None
    reader = ByteReader(fields[CHUNKS])
    frames = reader.varint("length of the chunks")
    if reader.left or not 1 <= frames <= _MOST_FRAMES:
        raise reader.damaged("length of the chunks")
    return frames


def check_front(content: bytes, before: bytes) -> None:
    """Raise ContainerError when a field `STREAMED` is not that of a file with these bytes before its content."""
    if content != zlib.crc32(before).to_bytes(_CHECKSUM_BYTES, "little"):
        raise _damaged("front")


def write_front_check(before: bytes) -> bytes:
    """The content of a field `STREAMED`."""
    return zlib.crc32(before).to_bytes(_CHECKSUM_BYTES, "little")


FRONT_CHECK_BYTES = _CHECKSUM_BYTES


def _check(stream: bytes) -> bytes:
    return (zlib.crc32(stream) & 0xFFFF).to_bytes(_CHECK_BYTES, "little")


def _number(read: Read) -> int | None:
    """The next number in LEB128; None where the bytes end before it does."""
    digits = b""
    while len(digits) < VARINT_BYTES and (not digits or digits[-1] >= 128):
        digit = read(1)
        if not digit:
            return None
        digits += digit
    return ByteReader(digits).varint("length of a stream")


def read_up_to(read: Read, length: int) -> bytes:
    """The next bytes, or as many of them as there are."""
    parts, left = list[bytes](), length
    while left:
        part = read(min(left, _PIECE))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _damaged(what: str) -> ContainerError:
    return ByteReader(b"").damaged(what)
