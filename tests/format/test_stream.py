"""Files of recordings that come in: read as they were written, and refused when they are not as they should be."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.errors import ContainerError
from vqc.format.container import (
    Container,
    Header,
    front_length,
    peek_header,
    read_container,
    read_front,
    streamed_front,
    write_container,
)
from vqc.format.metadata import Metadata
from vqc.format.shapes import AudioShape, ImageShape
from vqc.format.stream import join_chunks, read_chunks, write_chunk

SHAPE = AudioShape(samples=100_000, sample_rate=16_000, channels=1, silence=True, chunk_frames=25)
HEADER = Header(codec=4, entropy="prior", quality=5, digest=bytes.fromhex("33e49ec4d444"), shape=SHAPE)
STREAMS = [b"\1first", b"\0", b"\1third" * 30]
FILE = Container(header=HEADER, body=join_chunks(STREAMS, SHAPE.samples), streamed=True)


def with_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def test_this_is_a_file_of_two_chunks() -> None:
    file = replace(FILE, body=join_chunks([b"\1\xc0\xde", b"\0"], 40_000))
    file = replace(file, header=replace(HEADER, shape=replace(SHAPE, samples=40_000)))
    assert write_container(file).hex(" ") == (
        "56 51 43 02 04 22 05 33 e4 9e c4 d4 44 "  # VQC, version 2, speech, prior and flag 2, quality 5, digest
        "00 04 01 "  # no samples yet, 16 kHz, one channel
        "0b 81 01 01 19 "  # fields, 11 bytes: 129, 1 byte: 25 frames
        "82 01 04 6f 44 0d cd "  # 130, 4 bytes: CRC-32 of what is before them
        "03 01 c0 de b8 9b "  # first chunk: length, a channel that sounds and its codes, check
        "00 c0 b8 02 "  # the last comes: 40,000 samples
        "01 00 8d ef "  # last chunk: a channel that is silent
        "e9 1c e0 58"  # CRC-32
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=9), st.integers(1, 2**30), st.booleans())
def test_what_is_written_is_read(streams: list[bytes], samples: int, short: bool) -> None:
    shape = replace(SHAPE, samples=samples, chunk_frames=9 if short else None)
    metadata = Metadata(tags=(("title", "Live"),)) if short else Metadata()
    file = Container(
        header=replace(HEADER, shape=shape), body=join_chunks(streams, samples), metadata=metadata, streamed=True
    )
    data = write_container(file)
    assert read_container(data) == file
    assert file.streams(len(streams)) == streams
    with pytest.raises(ContainerError, match="number of chunks"):
        file.streams(len(streams) + 1)


def test_chunks_may_be_short_in_a_file_of_known_length() -> None:
    for indexed in (False, True):
        file = Container(header=HEADER, body=b"\2\1a\2\1b\1\0", indexed=indexed)
        assert read_container(write_container(file)) == file


def test_the_front_is_enough_to_begin() -> None:
    front = streamed_front(HEADER)
    data = write_container(FILE)
    assert data.startswith(front)
    assert front_length(data[:30]) == len(front)
    found = read_front(front)
    assert (found.streamed, found.length) == (True, len(front))
    assert found.header.shape == peek_header(front).shape.of_chunks(25, 0) == replace(SHAPE, samples=0)
    for place in range(3, len(front)):
        for bit in range(8):
            bent = bytearray(front)
            bent[place] ^= 1 << bit
            try:
                assert not read_front(bytes(bent) + bytes(300)).streamed
            except ContainerError:
                continue


def test_a_file_that_ends_too_early_has_chunks_up_to_there() -> None:
    body = FILE.body
    ends = [len(write_chunk(STREAMS[0])), len(write_chunk(STREAMS[0]) + write_chunk(STREAMS[1])), len(body)]
    for length in range(len(body) + 1):
        chunks = list(read_chunks(io.BytesIO(body[:length]).read))
        assert [chunk.stream for chunk in chunks] == STREAMS[: sum(end <= length for end in ends)]
        assert any(chunk.samples for chunk in chunks) == (length == len(body))


def test_a_chunk_that_is_damaged_is_told_and_the_next_one_found() -> None:
    body = bytearray(FILE.body)
    body[3] ^= 1
    first, second, _ = read_chunks(io.BytesIO(bytes(body)).read)
    assert (first.stream, second.stream) == (None, STREAMS[1])
    with pytest.raises(ContainerError, match="stream"):
        read_container(with_checksum(streamed_front(HEADER) + body))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "last chunk"),
        (b"\0\0" + write_chunk(b"x"), "number of samples"),
        (b"\0\5\0" + write_chunk(b"x"), "length of a stream"),
        (write_chunk(b"x"), "last chunk"),
        (write_chunk(b"x", 9) + b"x", "last chunk"),
        (b"\x80" * 10, "length of a stream"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 100, "last chunk"),
    ],
)
def test_other_bodies_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(ContainerError, match=said):
        read_container(with_checksum(streamed_front(HEADER) + body))


def test_other_fields_are_refused() -> None:
    def front(shape: bytes, fields: bytes, codec: int = 4, mode: int = 0x22) -> bytes:
        head = b"VQC\2" + bytes([codec, mode, 5]) + HEADER.digest + shape
        return head + bytes([len(fields)]) + fields

    def sealed(content: bytes) -> bytes:
        begin = content[:-4]
        return with_checksum(begin + zlib.crc32(begin).to_bytes(4, "little") + join_chunks(STREAMS, 100))

    seal, mono = b"\x82\1\4" + bytes(4), b"\0\4\1"
    assert read_container(sealed(front(mono, seal))).header.shape.size == 100
    for wrong in (
        front(b"\5\4\1", seal),  # samples that are known
        front(mono, seal, mode=0x02),  # a channel that does not tell what is silent
        front(b"\5\5", seal, codec=3, mode=0x02),  # an image
        front(mono, b"\x81\1\1\0" + seal),  # chunks of nothing
        front(mono, b"\x81\1\2\5\5" + seal),  # two numbers
        front(mono, b"\x83\1\0" + seal),  # numbers that fall
    ):
        with pytest.raises(ContainerError):
            read_container(sealed(wrong))
    with pytest.raises(ContainerError, match="front cannot be right"):
        read_container(with_checksum(front(mono, seal) + join_chunks(STREAMS, 100)))
    with pytest.raises(ContainerError, match="0 samples"):
        read_container(with_checksum(b"VQC\1\4\x22\5" + HEADER.digest + mono + b"\1\0"))
    image = Container(header=replace(HEADER, codec=3, shape=ImageShape(width=4, height=4)), body=b"x")
    data = write_container(image)[:-4]
    data = data[:3] + b"\2" + data[4:-1] + b"\4\x81\1\1\5x"
    with pytest.raises(ContainerError, match="an image has no chunks"):
        read_container(with_checksum(data))
