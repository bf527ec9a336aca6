"""Audio is streamed exactly: every sample comes, once, whatever the blocks; what cannot be right is refused."""

from __future__ import annotations

import errno
import io
import logging
import os
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.data.audio_files import AudioReader, Resampler, Samples, resample
from vqc.data.audio_writer import AudioWriter, audio_format
from vqc.errors import MediaError, MediaWarning, OptionError, OutputError

FORMATS = ["wav", "flac", "ogg", "opus", "mp3"]


def chirp(frames: int, sample_rate: int, channels: int = 2) -> Samples:
    """A rising tone, other in each channel, with a little noise under it."""
    time = np.arange(frames) / sample_rate
    tones = [np.sin(2 * np.pi * (150 + 100 * c + 300 * time) * time) * 0.4 for c in range(channels)]
    noise = np.random.default_rng(4).standard_normal((frames, channels)) * 1e-3
    return (np.stack(tones, axis=1) + noise).astype(np.float32)


def written(samples: Samples, sample_rate: int, format: str) -> bytes:
    file = io.BytesIO()
    with AudioWriter(file, sample_rate, samples.shape[1], format=format) as writer:
        writer.write(samples)
    return file.getvalue()


def made(samples: Any, sample_rate: int, **options: Any) -> bytes:
    """A file that does not come from our writer."""
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_all_16_bit_values_come_back_from_lossless_files(format: str) -> None:
    samples = (np.arange(-(2**15), 2**15) / 2**15).astype(np.float32).reshape(-1, 2)
    with AudioReader(written(samples, 16_000, format)) as reader:
        assert np.array_equal(reader.read(), samples)


@pytest.mark.parametrize("format", FORMATS)
def test_full_scale_is_clipped_and_not_wrapped(format: str) -> None:
    time = np.arange(8000).reshape(-1, 1) / 16_000
    loud = 3 * np.sin(2 * np.pi * 100 * time).astype(np.float32)
    with AudioReader(written(loud, 16_000, format)) as reader:
        result = reader.read()
    assert result[loud > 1.5].min() > 0
    assert result[loud < -1.5].max() < 0


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("frames", "channels"), [(1, 1), (7, 2), (30_001, 2)])
def test_every_format_keeps_rate_channels_and_number_of_samples(format: str, frames: int, channels: int) -> None:
    samples = chirp(frames, 24_000, channels)
    with AudioReader(written(samples, 24_000, format)) as reader:
        result = reader.read()
        assert (reader.sample_rate, reader.channels, reader.frames) == (24_000, channels, frames)
    assert result.shape == samples.shape
    if frames > 100:  # in its place and not delayed: a shift of one sample alone would leave about 20 dB
        assert np.mean((result - samples)[1000:-1000] ** 2) < 1e-2 * np.mean(samples**2)


@pytest.mark.parametrize("format", FORMATS)
def test_blocks_do_not_change_what_is_read_or_written(format: str, tmp_path: Path) -> None:
    samples = chirp(20_000, 16_000)
    path = tmp_path / f"clip.{format}"
    with AudioWriter(path, 16_000, 2) as writer:
        for start in range(0, len(samples), 777):
            writer.write(samples[start : start + 777])
    with AudioReader(path) as reader:
        whole = reader.read()
    if format != "ogg":  # libvorbis decides with what it has got so far
        with AudioReader(written(samples, 16_000, format)) as reader:
            assert np.array_equal(reader.read(), whole)
    for frames in (1_000, 4_096, 19_999):
        with path.open("rb") as file, AudioReader(file) as reader:
            blocks = list(reader.blocks(frames))
        assert all(0 < len(block) <= frames for block in blocks)
        assert np.array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({"format": "WAV", "subtype": "PCM_U8"}, 2**-7),
        ({"format": "WAV", "subtype": "PCM_24"}, 2**-23),
        ({"format": "WAV", "subtype": "FLOAT"}, 0),
        ({"format": "WAV", "subtype": "DOUBLE"}, 0),
        ({"format": "FLAC", "subtype": "PCM_24"}, 2**-23),
        ({"format": "AIFF", "subtype": "PCM_16"}, 2**-15),
    ],
)
def test_other_sample_formats_are_read_at_the_same_scale(options: dict[str, str], step: float) -> None:
    samples = chirp(5_000, 48_000)
    with AudioReader(made(samples, 48_000, **options)) as reader:
        assert np.abs(reader.read() - samples).max() <= step * 1.01


def wav_header(sample_rate: int, channels: int) -> bytes:
    layout = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * channels * 2 % 2**32, channels * 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", 2048) + bytes(2048)
    return b"RIFF" + struct.pack("<I", len(body)) + body


NOT_A_NUMBER = np.array([0.0, np.nan, 0.5], dtype=np.float32)
REFUSED = {
    "empty": (b"", "is an empty file"),
    "text": (b"Dear reader, this is a letter. " * 50, "is text"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(500), "is an image, and this takes recordings"),
    "vqc": (b"VQC\x01" + bytes(500), "is a .vqc file, .* restore it with decompress"),
    "document": (b"%PDF-1.7\n" + bytes(500), "is a PDF document"),
    "noise": (bytes(range(1, 200)), "not a WAV"),
    "no samples": (made(np.zeros((0, 1)), 16_000, format="WAV"), "holds no samples"),
    "cut header": (made(np.zeros(1000), 16_000, format="WAV")[:20], "not a WAV"),
    "cut flac": (made(chirp(20_000, 16_000), 16_000, format="FLAC")[:20_000], "of 20,000 samples .* can be read"),
    "cut opus": (made(chirp(20_000, 16_000), 16_000, format="OGG", subtype="OPUS")[:300], "its last page is not whole"),
    "not a number": (made(NOT_A_NUMBER, 16_000, format="WAV", subtype="FLOAT"), "not numbers"),
    "10 Hz": (wav_header(10, 1), "10 Hz makes no sense"),
    "2 GHz": (wav_header(2_000_000_000, 1), "2,000,000,000 Hz makes no sense"),
    "300 channels": (wav_header(16_000, 300), "300 channels"),
    "samples of a synthesizer": (made(np.zeros(1000), 16_000, format="XI", subtype="DPCM_16"), "not a WAV"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(MediaError, match=words), AudioReader(data) as reader:
        reader.read()


def test_the_handmade_header_is_fine_otherwise() -> None:
    with AudioReader(wav_header(16_000, 2)) as reader:
        assert reader.read().shape == (512, 2)


def test_files_are_named_in_the_error(tmp_path: Path) -> None:
    raw = tmp_path / "clip.raw"
    raw.write_bytes(bytes(1000))
    for path, words in {
        tmp_path / "missing.wav": r"missing\.wav: cannot be read: No such file",
        tmp_path: "cannot be read: Is a directory",
        raw: r"clip\.raw: not a WAV",
    }.items():
        with pytest.raises(MediaError, match=words):
            AudioReader(path)
    with pytest.raises(MediaError, match="letter: is text"):
        AudioReader(io.BytesIO(b"Dear reader,"), name="letter")


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_give_samples_or_the_one_error(
    format: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    good = written(chirp(6_000, 16_000), 16_000, format)
    rng = np.random.default_rng(6)
    for _ in range(60):
        data = bytearray(good)
        for position in rng.integers(0, len(data) if rng.random() < 0.5 else 200, 3):
            data[position] = rng.integers(0, 256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MediaWarning)
            try:
                with AudioReader(bytes(data)) as reader:
                    for block in reader.blocks():
                        assert np.isfinite(block).all()
            except MediaError:
                continue


@pytest.mark.parametrize(
    ("format", "sample_rate", "channels", "words"),
    [
        (
            "opus",
            44_100,
            1,
            r"opus files have sample rates of 8, 12, 16, 24, 48 kHz and this audio has 44\.1 kHz; write",
        ),
        ("mp3", 96_000, 1, "mp3 files have sample rates of"),
        ("mp3", 44_100, 3, "at most 2 channels and this audio has 3"),
        ("flac", 16_000, 9, "flac cannot hold 9 channels"),
        ("flac", 700_000, 1, "flac cannot hold 1 channels at 700,000 Hz"),
    ],
)
def test_what_a_format_cannot_hold_is_said_before_anything_is_written(
    format: str,
    sample_rate: int,
    channels: int,
    words: str,
) -> None:
    with pytest.raises(OutputError, match=words):
        AudioWriter(io.BytesIO(), sample_rate, channels, format=format)


class SmallDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > 3_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_a_full_disk_costs_one_sentence(capfd: pytest.CaptureFixture[str], format: str) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (40_000, 1)).astype(np.float32)
    with (
        pytest.raises(OutputError, match="cannot be written: No space left on device; make room"),
        AudioWriter(SmallDisk(), 16_000, 1, format=format) as writer,
    ):
        writer.write(noise)
    assert capfd.readouterr().err == ""


def test_the_suffix_decides_the_format(tmp_path: Path) -> None:
    for suffix, first in {"WAV": b"RIFF", "flac": b"fLaC", "oga": b"OggS", "opus": b"OggS", "mp3": b"\xff"}.items():
        with AudioWriter(tmp_path / f"a.{suffix}", 16_000, 1) as writer:
            writer.write(chirp(1000, 16_000, 1))
        data = (tmp_path / f"a.{suffix}").read_bytes()
        assert data.startswith(first)
        assert (b"OpusHead" in data) == (suffix == "opus")
    with pytest.raises(OptionError, match=r"\.wav, \.flac"):
        audio_format("a.aac")
    with pytest.raises(OptionError, match="wav, flac"):
        AudioWriter(io.BytesIO(), 16_000, 1, format="aac")
    with pytest.raises(OutputError, match="No such file"):
        AudioWriter(tmp_path / "no folder" / "a.wav", 16_000, 1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [(44_100, 16_000), (16_000, 44_100), (8_000, 16_000), (16_000, 16_000), (96_000, 16_000), (16_000, 11_025)]
    ),
    st.lists(st.integers(1, 3_000), min_size=1, max_size=8),
    st.integers(1, 3),
)
def test_resampling_does_not_depend_on_blocks(rates: tuple[int, int], sizes: list[int], channels: int) -> None:
    samples = np.random.default_rng(1).standard_normal((sum(sizes), channels)).astype(np.float32)
    at_once = np.concatenate([*resample([samples], *rates, channels), np.zeros((0, channels), np.float32)])
    source_rate, target_rate = rates
    assert len(at_once) == (2 * len(samples) * target_rate + source_rate) // (2 * source_rate)
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    stream = Resampler(*rates, channels)
    cut = np.concatenate([*(stream.process(block) for block in blocks), stream.finish()])
    assert np.array_equal(cut, at_once)


def test_one_sample_blocks_give_the_same_as_one_block() -> None:
    samples = chirp(3_000, 44_100)
    at_once = np.concatenate(list(resample([samples], 44_100, 16_000, 2)))
    singly = np.concatenate(list(resample(np.split(samples, 3_000), 44_100, 16_000, 2)))
    assert np.array_equal(singly, at_once)


@pytest.mark.parametrize(("source", "target"), [(44_100, 16_000), (16_000, 44_100), (8_000, 16_000), (48_000, 16_000)])
def test_a_tone_stays_the_same_tone_at_the_same_time(source: int, target: int) -> None:
    def tone(sample_rate: int) -> Samples:
        return (0.7 * np.sin(2 * np.pi * 440 * np.arange(sample_rate) / sample_rate + 1)).astype(np.float32)[:, None]

    result = np.concatenate(list(resample([tone(source)], source, target, 1)))
    assert len(result) == target
    inside = slice(target // 20, -target // 20)
    assert np.abs(result - tone(target))[inside].max() < 1e-4


def test_tones_above_the_new_band_vanish() -> None:
    tone = np.sin(2 * np.pi * 10_000 * np.arange(44_100) / 44_100).astype(np.float32)[:, None]
    result = np.concatenate(list(resample([tone], 44_100, 16_000, 1)))
    assert np.abs(result[800:-800]).max() < 1e-4


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """A minute of stereo is 23 MB as float32; reading, resampling and writing it takes a small part of that."""
    path = tmp_path / "minute.wav"
    soundfile.write(path, np.zeros((60 * 48_000, 2), np.int16), 48_000)
    tracemalloc.start()
    with AudioReader(path) as reader, AudioWriter(tmp_path / "copy.wav", 1_000, 2) as writer:
        for block in resample(reader.blocks(16_384), 48_000, 1_000, 2):
            writer.write(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    with AudioReader(tmp_path / "copy.wav") as reader:
        assert reader.frames == 60_000


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_peaks_above_full_scale_are_told_of(subtype: str) -> None:
    loud = np.array([[0.0], [2.0], [-0.5]])
    with (
        pytest.warns(MediaWarning, match=r"loud\.wav: has peaks 6\.0 dB above full scale, which are clipped"),
        AudioReader(made(loud, 16_000, format="WAV", subtype=subtype), name="loud.wav") as reader,
    ):
        assert np.array_equal(reader.read(), loud)
    with AudioReader(made(loud / 2, 16_000, format="WAV", subtype=subtype)) as reader:
        assert np.array_equal(reader.read(), loud / 2)


def test_a_decoder_that_overshoots_is_nothing_to_tell_of() -> None:
    """What MP3 and the like make of loud music is above full scale here and there, and every player clips it."""
    square = np.sign(chirp(20_000, 16_000, 1))
    with AudioReader(made(square, 16_000, format="OGG", subtype="VORBIS")) as reader:
        assert np.abs(reader.read()).max() > 1.05


def test_upsampling_a_large_block_comes_in_small_ones() -> None:
    blocks = list(resample([np.zeros((4_000, 1), np.float32)], 1_000, 768_000, 1))
    assert sum(map(len, blocks)) == 4_000 * 768
    assert max(map(len, blocks)) < 1_000 * 768
