"""No part of an MP3 is lost without a word, whatever its table says and however many files were put end to end."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest

from vqc.data.audio_files import AudioReader, Samples
from vqc.data.audio_writer import AudioWriter
from vqc.errors import MediaError, MediaWarning

RATE = 16_000
FRAME = 576  # samples at this rate
SLACK = 4 * FRAME  # the encoder's delay and padding, where nothing tells of them


def mp3(seconds: float, seed: int = 2, sample_rate: int = RATE, channels: int = 1) -> bytes:
    """Noise and then silence, so that the bit rate is high first and low later."""
    shape = (round(seconds * sample_rate), channels)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    noise[len(noise) // 2 :] = 0
    file = io.BytesIO()
    with AudioWriter(file, sample_rate, channels, format="mp3") as writer:
        writer.write(noise)
    return file.getvalue()


def heard(data: bytes) -> Samples:
    """All samples, which must be as many as the reader had said."""
    with AudioReader(data) as reader:
        result = reader.read()
        assert len(result) == reader.frames
    return result


def without_table(data: bytes) -> bytes:
    """The file without its first frame, which holds the table."""
    return data[data.index(data[:2], data.index(b"Xing")) :]


def with_count(data: bytes, count: int) -> bytes:
    """The file with this number of frames in its table."""
    at = data.index(b"Xing") + 8
    return data[:at] + count.to_bytes(4, "big") + data[at + 4 :]


ID3V2 = b"ID3\x04\0\0" + bytes([0, 0, 2, 3]) + b"\xff" * (2 * 128 + 3)
ID3V1 = b"TAG" + b"a" * 125
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 40 + 32, 1, 0xA0000000) + bytes(8) + bytes(40)
APE += b"APETAGEX" + struct.pack("<IIII", 2000, 40 + 32, 1, 0x80000000) + bytes(8)


def test_all_files_put_end_to_end_are_heard_without_a_gap() -> None:
    first, second, third = mp3(2, 1), mp3(0.5, 2), mp3(1, 3)
    alone = np.concatenate([heard(first), heard(second), heard(third)])
    assert len(alone) == 3.5 * RATE
    assert np.array_equal(heard(first + second + third), alone)
    tagged = ID3V2 + first + ID3V1 + ID3V2 + second + APE + third + ID3V1
    assert np.array_equal(heard(tagged), alone)


def test_a_table_that_counts_nothing_or_too_little_is_not_believed() -> None:
    good = mp3(4)
    for count in (0, 10):
        assert np.array_equal(heard(with_count(good, count)), heard(good))


@pytest.mark.parametrize(("sample_rate", "channels"), [(16_000, 1), (44_100, 2), (44_100, 1), (8_000, 2), (24_000, 2)])
def test_files_without_a_table_are_read_to_the_end(sample_rate: int, channels: int) -> None:
    """The bit rate of the first frame, high as it is, would end the file early."""
    good = mp3(8, 2, sample_rate, channels)
    count = len(heard(without_table(good)))
    assert 0 <= count - 8 * sample_rate <= 4 * 1152


def test_a_table_of_another_kind_is_replaced() -> None:
    """VBRI stands where libsndfile does not look, and is no sound."""
    bare = without_table(mp3(4))
    head = bare[:4]
    length = bare.index(head[:2], 4)
    frame = bytearray(head + bytes(length - 4))
    frame[36:54] = b"VBRI" + bytes(10) + (999).to_bytes(4, "big")
    with pytest.warns(MediaWarning, match="of 999 frames 11. are there"):
        result = heard(bytes(frame) + bare)
    assert np.array_equal(result, heard(bare))


def test_a_file_broken_off_is_read_with_a_warning() -> None:
    good = mp3(4)
    whole = heard(good)
    with pytest.warns(MediaWarning, match=r"the audio: is cut short: of 11\d frames \d\d are there"):
        part = heard(good[: len(good) // 2])
    assert np.array_equal(part[: len(part) - FRAME], whole[: len(part) - FRAME])
    with pytest.warns(MediaWarning, match="its last frame is not whole"):
        heard(without_table(good)[:-7])


def test_what_is_no_mp3_within_a_file_is_left_out_with_a_warning() -> None:
    first, second = mp3(1, 1), mp3(1, 2)
    with pytest.warns(MediaWarning, match="500 bytes within it are not MP3"):
        result = heard(first + b"\xff\xf3 " * 166 + b"zz" + second)
    assert np.array_equal(result, np.concatenate([heard(first), heard(second)]))


def test_what_is_before_the_first_frame_does_no_harm() -> None:
    """Streams begin anywhere; encoders leave room after a tag."""
    good = mp3(2)
    for before in (bytes(1_000), ID3V2 + bytes(700), without_table(good)[30:200]):
        assert abs(len(heard(before + without_table(good))) - 2 * RATE) <= SLACK


def test_files_of_several_sorts_end_to_end_are_refused() -> None:
    for other in (mp3(1, 2, 22_050), mp3(1, 2, RATE, 2)):
        with pytest.raises(MediaError, match="put together from files of other sorts; convert each on its own"):
            AudioReader(mp3(1) + other)


@pytest.mark.parametrize("layout", [(1, 1, "<"), (1, 2, "<"), (2, 1, ">")])
def test_mp3_in_wav_is_read_to_the_end(layout: tuple[int, int, str]) -> None:
    channels, seconds, order = layout
    frames = without_table(mp3(seconds, 2, RATE, channels))
    sort = struct.pack(f"{order}HHIIHHHHIHHH", 0x55, channels, RATE, 4_000, 1, 0, 12, 1, 2, 576, 1, 1393)
    fact = b"fact" + struct.pack(f"{order}II", 4, 77)
    body = b"WAVEfmt " + struct.pack(f"{order}I", len(sort)) + sort + fact
    body += b"data" + struct.pack(f"{order}I", len(frames)) + frames
    data = (b"RIFF" if order == "<" else b"RIFX") + struct.pack(f"{order}I", len(body)) + body
    assert np.array_equal(heard(data), heard(frames))


@pytest.mark.parametrize("spoil", [lambda data: with_count(data, 9), lambda data: data[:300] + bytes(99) + data[399:]])
def test_the_lines_of_the_decoder_are_kept_from_stderr(
    spoil: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    with AudioReader(spoil(mp3(2))) as reader:
        list(reader.blocks())
    assert capfd.readouterr().err == ""
