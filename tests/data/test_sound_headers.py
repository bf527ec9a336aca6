"""Headers that declare nothing, too much, or where the channels stand."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from sound_files import Samples, noise

from vqc.data.audio_files import AudioReader
from vqc.errors import MediaError, MediaWarning

FRAMES = 5_000
CONTAINERS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU"]


def file_of(container: str, samples: Samples, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format=container, subtype="PCM_16", **options)
    return file.getvalue()


def heard(data: bytes) -> Samples:
    with AudioReader(data) as reader:
        return reader.read()


def with_length(data: bytes, container: str, length: int) -> bytes:
    """The file with this in the field that counts its bytes of sound."""
    if container in ("WAV", "WAVEX", "AIFF"):
        at, code = data.index(b"SSND" if container == "AIFF" else b"data") + 4, ">I" if container == "AIFF" else "<I"
    else:
        at = {"RF64": 28, "W64": data.find(b"data") + 16, "CAF": data.find(b"data") + 4, "AU": 8}[container]
        code = {"RF64": "<Q", "W64": "<Q", "CAF": ">q", "AU": ">I"}[container]
    return data[:at] + struct.pack(code, length) + data[at + struct.calcsize(code) :]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_a_recorder_left_unfinished_is_read_to_its_end(container: str, channels: int) -> None:
    samples = noise(FRAMES, channels)
    data = with_length(file_of(container, samples), container, 0)
    if container == "AIFF":
        at = data.index(b"COMM") + 10
        data = data[:at] + bytes(4) + data[at + 4 :]
    with pytest.warns(MediaWarning, match="the audio: was never finished"):
        assert np.array_equal(heard(data), samples)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("lost", [1_000, 1_001, 2])
def test_what_was_broken_off_is_read_with_a_warning(container: str, lost: int) -> None:
    samples = noise(FRAMES)
    data = file_of(container, samples)
    with pytest.warns(MediaWarning, match=r"cut short: of 10,000 bytes of samples \d,\d\d\d are there"):
        result = heard(data[:-lost])
    assert 0 <= len(samples) - lost / 2 - len(result) < 8  # W64 and others have a few bytes after the sound
    assert np.array_equal(result, samples[: len(result)])


@pytest.mark.parametrize("length", [2**32 - 1, 2**32 - 37, 2**31 - 1, 0x7FFFF000])
def test_what_was_written_to_a_pipe_is_whole(length: int) -> None:
    samples = noise(FRAMES)
    assert np.array_equal(heard(with_length(file_of("WAV", samples), "WAV", length)), samples)


def test_caf_and_au_of_unknown_length_are_whole() -> None:
    samples = noise(FRAMES, 2)
    assert np.array_equal(heard(with_length(file_of("CAF", samples), "CAF", -1)), samples)
    assert np.array_equal(heard(with_length(file_of("AU", samples), "AU", 2**32 - 1)), samples)


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_comes_after_the_sound_is_no_sound(container: str) -> None:
    """Neither in a whole file nor in one that was truly closed without a sample."""
    samples = noise(FRAMES)
    after = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert np.array_equal(heard(file_of(container, samples) + after), samples)
    if container in ("WAV", "WAVEX"):
        with pytest.raises(MediaError, match="holds no samples"):
            AudioReader(file_of(container, samples[:0]) + after)


@pytest.mark.parametrize("container", CONTAINERS)
def test_headers_cut_anywhere_give_the_one_error_or_samples(container: str) -> None:
    data = file_of(container, noise(8))
    for stop in range(4, len(data) - 4):
        with warnings.catch_warnings(record=True) as told, suppress(MediaError):
            warnings.simplefilter("always")
            assert len(heard(data[:stop])) == 8 or told, "a sample is missing without a word"


def wav(samples: Samples, mask: int | None, order: str = "<") -> bytes:
    """A WAV file with a channel mask, or without."""
    channels = samples.shape[1]
    tag = 1 if mask is None else 0xFFFE
    sort = struct.pack(f"{order}HHIIHH", tag, channels, 16_000, 32_000 * channels, 2 * channels, 16)
    if mask is not None:
        sort += struct.pack(f"{order}HHIIHH", 22, 16, mask, 1, 0, 16) + bytes.fromhex("800000aa00389b71")
    numbers = (samples * 2**15).astype(f"{order}i2").tobytes()
    body = b"WAVEfmt " + struct.pack(f"{order}I", len(sort)) + sort
    body += b"data" + struct.pack(f"{order}I", len(numbers)) + numbers
    return (b"RIFF" if order == "<" else b"RIFX") + struct.pack(f"{order}I", len(body)) + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("channels", "mask", "told"),
    [
        (1, None, None),
        (2, None, None),
        (2, 0x3, None),
        (2, 0x30, 0x30),
        (4, 0x33, None),
        (4, 0x107, 0x107),
        (6, 0x3F, None),
        (6, 0x60F, 0x60F),
        (6, None, 0),
        (8, 0x63F, None),
        (8, 0xFF, 0xFF),
    ],
)
def test_the_mask_of_wav_is_told_where_it_is_not_the_usual_one(
    order: str, channels: int, mask: int | None, told: int | None
) -> None:
    samples = noise(100, channels)
    with AudioReader(wav(samples, mask, order)) as reader:
        assert reader.channel_mask == told
        assert np.array_equal(reader.read(), samples)


L, R, C, BASS, LS, RS = range(6)
LABELS = b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in (3, 1, 2, 5, 6, 4))
CORE_AUDIO = {
    "MPEG 5.1 A": (struct.pack(">III", 121 << 16 | 6, 0, 0), (L, R, C, BASS, LS, RS)),
    "MPEG 5.1 B": (struct.pack(">III", 122 << 16 | 6, 0, 0), (L, R, LS, RS, C, BASS)),
    "MPEG 5.1 D": (struct.pack(">III", 124 << 16 | 6, 0, 0), (C, L, R, LS, RS, BASS)),
    "bits": (struct.pack(">III", 1 << 16, 0x3F, 0), (L, R, C, BASS, LS, RS)),
    "labels": (
        struct.pack(">III", 0, 0, 6)
        + b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in (3, 1, 2, 5, 6, 4)),
        (C, L, R, LS, RS, BASS),
    ),
}


@pytest.mark.parametrize("name", CORE_AUDIO)
def test_channels_of_caf_come_in_the_order_of_wav(name: str) -> None:
    layout, places = CORE_AUDIO[name]
    samples = noise(100, 6)
    data = file_of("CAF", samples[:, list(places)])
    at = data.index(b"data")
    with AudioReader(data[:at] + b"chan" + struct.pack(">q", len(layout)) + layout + data[at:]) as reader:
        assert reader.channel_mask is None
        assert np.array_equal(reader.read(), samples)
