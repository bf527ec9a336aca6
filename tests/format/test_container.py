"""The container says everything in few bytes, and rubbish is refused in one way, quickly."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.errors import ContainerError
from vqc.format import container as module
from vqc.format.container import (
    FRONT_BYTES,
    Container,
    Header,
    join_streams,
    peek_header,
    read_container,
    split_streams,
    write_container,
)
from vqc.format.shapes import AudioShape, ImageShape

PHOTO = Container(
    header=Header(
        codec=3,
        entropy="static",
        quality=4,
        digest=bytes.fromhex("9f1c02d755e0"),
        shape=ImageShape(width=640, height=480),
    ),
    body=bytes.fromhex("0badc0de00c0ffee2a"),
)
STICKER = Container(
    header=replace(PHOTO.header, codec=1, shape=ImageShape(width=1, height=200, grayscale=True, alpha=True)),
    alpha=b"alpha" * 30,
    body=b"",
)
CLIP = Container(
    header=replace(
        PHOTO.header,
        codec=4,
        entropy="none",
        shape=AudioShape(samples=441_000, sample_rate=44_100, channels=2, mid_side=True),
    ),
    body=join_streams([b"first chunk", b"", b"third chunk" * 40]),
)
SURROUND = replace(
    CLIP,
    header=replace(CLIP.header, shape=AudioShape(samples=10, sample_rate=44_100, channels=6, channel_mask=0x60F)),
)
PAUSES = replace(
    CLIP, header=replace(CLIP.header, shape=AudioShape(samples=10, sample_rate=8_000, channels=1, silence=True))
)
FILES = {"photo": PHOTO, "sticker": STICKER, "clip": CLIP, "surround": SURROUND, "pauses": PAUSES}


def with_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


image_headers = st.builds(
    Header,
    codec=st.sampled_from([1, 3]),
    entropy=st.sampled_from(["none", "static"]),
    quality=st.integers(1, 255),
    digest=st.binary(min_size=6, max_size=6),
    shape=st.builds(
        ImageShape,
        width=st.integers(1, 2**14),
        height=st.integers(1, 2**14),
        grayscale=st.booleans(),
        alpha=st.booleans(),
    ),
)
audio_shapes = st.builds(
    AudioShape,
    samples=st.integers(1, 2**36),
    sample_rate=st.one_of(st.sampled_from([8000, 16000, 44100, 48000, 192000]), st.integers(1000, 1_000_000)),
    channels=st.integers(1, 255),
    channel_mask=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)
mono_shapes = st.builds(
    AudioShape, samples=st.integers(1, 2**20), sample_rate=st.just(16_000), channels=st.just(1), silence=st.booleans()
)
stereo_shapes = st.builds(
    AudioShape, samples=st.integers(1, 2**20), sample_rate=st.just(16_000), channels=st.just(2), mid_side=st.booleans()
)
audio_headers = st.builds(
    Header,
    codec=st.sampled_from([2, 4]),
    entropy=st.sampled_from(["none", "static"]),
    quality=st.integers(1, 255),
    digest=st.binary(min_size=6, max_size=6),
    shape=st.one_of(audio_shapes, mono_shapes, stereo_shapes),
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(image_headers, audio_headers), st.binary(max_size=300), st.binary(max_size=300))
def test_what_is_written_is_read(header: Header, body: bytes, alpha: bytes) -> None:
    has_alpha = isinstance(header.shape, ImageShape) and header.shape.alpha
    container = Container(header=header, body=body, alpha=alpha if has_alpha else None)
    assert read_container(write_container(container)) == container


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=12))
def test_streams_are_split_where_they_were_joined(streams: list[bytes]) -> None:
    body = join_streams(streams)
    assert split_streams(body, len(streams)) == streams
    if len(streams) == 1:
        assert body == streams[0]
    for wrong in {max(2, len(streams) - 1), len(streams) + 1, 10**12} - {len(streams)}:
        try:
            parts = split_streams(body, wrong)
        except ContainerError:
            continue
        assert join_streams(parts) == body  # the only other way to read it that there can be


def test_the_dump_in_the_specification_is_a_real_file() -> None:
    lines = re.findall(r"^    ([0-9a-f]{4})  ((?:[0-9a-f]{2} )+)", module.__doc__ or "", re.MULTILINE)
    data = b""
    for offset, digits in lines:
        assert int(offset, 16) == len(data)
        data += bytes.fromhex(digits)
    assert data == write_container(PHOTO)


@pytest.mark.parametrize(
    ("codec", "shape", "most"),
    [
        (3, ImageShape(width=768, height=512), 21),
        (3, ImageShape(width=16_383, height=16_383), 21),
        (4, AudioShape(samples=160_000, sample_rate=16_000, channels=1), 22),
        (4, AudioShape(samples=480_000, sample_rate=48_000, channels=2, mid_side=True), 22),
        (4, AudioShape(samples=1_920_000, sample_rate=192_000, channels=8), 22),
        (4, AudioShape(samples=378_000, sample_rate=37_800, channels=1), 24),
    ],
)
def test_overhead(codec: int, shape: ImageShape | AudioShape, most: int) -> None:
    container = Container(header=replace(PHOTO.header, codec=codec, shape=shape), body=b"c" * 1000)
    assert len(write_container(container)) - 1000 == most


@pytest.mark.parametrize("name", FILES)
def test_every_cut_every_flipped_bit_and_every_byte_more_is_refused(name: str) -> None:
    data = write_container(FILES[name])
    rubbish = [data[:length] for length in range(len(data))]
    rubbish += [data + bytes([byte]) for byte in range(256)]
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        rubbish.append(bytes(flipped))
    for bad in rubbish:
        with pytest.raises(ContainerError):
            read_container(bad)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_rubbish_with_the_right_checksum_is_refused_or_means_what_it_says(name: str, data: st.DataObject) -> None:
    """Whatever is accepted is written back as the same bytes: nothing is read in two ways."""
    content = bytearray(write_container(FILES[name])[:-4])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, min(30, len(content) - 1)))] = data.draw(st.integers(0, 255))
    bad = with_checksum(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        container = read_container(bad)
    except ContainerError:
        return
    assert write_container(container) == bad


PROMISES = {
    "2^32 pixels": bytes([3, 1, 4]) + b"digest" + varint(2**16) + varint(2**16),
    "2^62 pixels in a row": bytes([3, 1, 4]) + b"digest" + varint(2**62) + varint(1),
    "no pixels": bytes([3, 1, 4]) + b"digest" + varint(0) + varint(10),
    "an endless number": bytes([3, 1, 4]) + b"digest" + b"\xff" * 40,
    "a needless byte": bytes([3, 1, 4]) + b"digest" + b"\x80\x00" + varint(10),
    "2^40 bytes of alpha": bytes([3, 0x21, 4]) + b"digest" + varint(10) + varint(10) + varint(2**40) + b"alpha",
    "2^40 samples": bytes([4, 1, 4]) + b"digest" + varint(2**40) + varint(4) + varint(1),
    "no samples": bytes([4, 1, 4]) + b"digest" + varint(0) + varint(4) + varint(1),
    "999 Hz": bytes([4, 1, 4]) + b"digest" + varint(10) + varint(999) + varint(1),
    "1 GHz": bytes([4, 1, 4]) + b"digest" + varint(10) + varint(10**9) + varint(1),
    "a usual rate written in Hz": bytes([4, 1, 4]) + b"digest" + varint(10) + varint(16_000) + varint(1),
    "no channels": bytes([4, 1, 4]) + b"digest" + varint(10) + varint(4) + varint(0),
    "256 channels": bytes([4, 1, 4]) + b"digest" + varint(10) + varint(4) + varint(256),
    "mid and side of one channel": bytes([4, 0x11, 4]) + b"digest" + varint(10) + varint(4) + varint(1),
    "silent chunks of two channels": bytes([4, 0x21, 4]) + b"digest" + varint(10) + varint(4) + varint(2),
    "2^32 as a mask": bytes([4, 0x41, 4]) + b"digest" + varint(10) + varint(4) + varint(6) + varint(2**32),
    "an unknown flag of audio": bytes([4, 0x81, 4]) + b"digest" + varint(10) + varint(4) + varint(6),
    "an unknown entropy mode": bytes([3, 3, 4]) + b"digest" + varint(10) + varint(10),
    "an unknown flag": bytes([3, 0x41, 4]) + b"digest" + varint(10) + varint(10),
    "quality 0": bytes([3, 1, 0]) + b"digest" + varint(10) + varint(10),
}


@pytest.mark.parametrize("name", PROMISES)
def test_implausible_promises_with_the_right_checksum_are_refused_at_once(name: str) -> None:
    data = with_checksum(b"VQC\x01" + PROMISES[name])
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ContainerError):
        read_container(data)
    assert time.process_time() - start < 0.1
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@settings(max_examples=100, deadline=None)
@given(st.one_of(image_headers, audio_headers))
def test_a_header_lies_in_the_front(header: Header) -> None:
    alpha = b"alpha" if header.shape.alpha else None
    data = write_container(Container(header=header, body=bytes(100), alpha=alpha))
    assert peek_header(data[:FRONT_BYTES], limit=2**36) == header


def test_the_limit_can_be_moved() -> None:
    huge = replace(PHOTO, header=replace(PHOTO.header, shape=ImageShape(width=2**16, height=2**13)))
    data = write_container(huge)
    with pytest.raises(ContainerError, match="65,536 x 8,192 pixels"):
        read_container(data)
    assert read_container(data, limit=2**29) == huge
    with pytest.raises(ContainerError, match="limit of 307,199"):
        read_container(write_container(PHOTO), limit=640 * 480 - 1)
    assert read_container(write_container(PHOTO), limit=640 * 480) == PHOTO


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "not a .vqc file"),
        (b"VQC\x01", "cut short"),
        (with_checksum(b"VQC\x03" + b"\0" * 30), "format 3"),
        (b"VQCA" + b"\0" * 100, "an archive; vqc archive list"),
        (write_container(PHOTO)[:-1], "checksum does not match; get it again, or .* --salvage"),
    ],
)
def test_messages_say_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        read_container(data)


def test_reading_a_header_loads_nothing_heavy() -> None:
    imported = "import vqc.format.container, vqc.archive.reader, sys"
    program = f"{imported}; print({{'torch', 'numpy', 'PIL'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "set()"
