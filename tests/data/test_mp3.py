"""No part of an MP3 is lost without a word because its header does not tell its length."""

from __future__ import annotations

import io

import numpy as np
import pytest

from vqc.data.audio import AudioReader, AudioWriter
from vqc.data.mp3 import count_samples
from vqc.errors import MediaError


def mp3(seconds: int, sample_rate: int = 16_000, channels: int = 1) -> bytes:
    """Noise and then silence, so that the bit rate is high first and low later."""
    noise = 0.1 * np.random.default_rng(2).standard_normal((seconds * sample_rate, channels)).astype(np.float32)
    noise[len(noise) // 2 :] = 0
    file = io.BytesIO()
    with AudioWriter(file, sample_rate, channels, format="mp3") as writer:
        writer.write(noise)
    return file.getvalue()


def without_table(data: bytes) -> bytes:
    """The file without its first frame, which holds the table."""
    head = data[:4]
    start = data.index(b"Xing")
    return data[data.index(head[:2], start) :]


@pytest.mark.parametrize(("sample_rate", "frame"), [(16_000, 576), (44_100, 1152), (8_000, 576)])
def test_frames_are_counted_to_the_end(sample_rate: int, frame: int) -> None:
    seconds = 4
    bare = without_table(mp3(seconds, sample_rate, 2))
    count = count_samples(io.BytesIO(bare))
    assert count is not None
    assert count % frame == 0
    assert seconds * sample_rate <= count <= seconds * sample_rate + 4 * frame  # the encoder's delay and padding
    tag = b"ID3\x04\0\0" + bytes([0, 0, 2, 3]) + bytes(2 * 128 + 3)
    assert count_samples(io.BytesIO(tag + bare + b"TAG" + bytes(125))) == count


def test_files_with_a_table_are_believed() -> None:
    assert count_samples(io.BytesIO(mp3(1))) is None


@pytest.mark.parametrize("data", [b"", b"ID3", b"\xff\xfb", b"Dear reader, this is a letter."])
def test_other_bytes_are_left_to_the_reader(data: bytes) -> None:
    assert count_samples(io.BytesIO(data)) is None


def test_a_length_that_was_guessed_too_short_is_an_error_with_what_to_do() -> None:
    bare = without_table(mp3(8))
    with pytest.raises(MediaError, match="does not tell its length; convert it to WAV or FLAC"):
        AudioReader(bare)
    with AudioReader(mp3(8)) as reader:
        assert len(reader.read()) == 8 * 16_000
