"""Sound files there and back: channels keep their places, pipes are written to, and what is odd is told."""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqc.codec import files
from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.files import compress_file, decompress_file
from vqc.codec.media import to_waveform
from vqc.codec.open import codec_with
from vqc.errors import MediaWarning
from vqc.models.base import AudioModel

HERTZ = [300, 500, 700, 60, 1100, 1300]


@pytest.fixture(autouse=True)
def codec(audio_model: AudioModel, monkeypatch: pytest.MonkeyPatch) -> Codec:
    """The codec of all files here; it keeps tones."""
    codec = codec_with(audio_model, bytes(32), "tiny")
    monkeypatch.setattr(files, "open_codec", lambda *_, **__: codec)
    monkeypatch.setattr(files, "codec_for_work", lambda *_, **__: codec)
    return codec


def surround(seconds: float = 1.2, rate: int = 8_000) -> np.ndarray:
    time = np.arange(round(seconds * rate))[:, None] / rate
    return 0.3 * np.sin(2 * np.pi * np.array(HERTZ) * time)


def loudest(path: Path, rate: int = 8_000) -> list[int]:
    """The tone in each channel as another reader finds it, in Hz."""
    samples = soundfile.read(path, always_2d=True)[0][:rate]
    return [int(bins.argmax()) for bins in np.abs(np.fft.rfft(samples * np.hanning(rate)[:, None], axis=0)).T]


def there_and_back(source: Path, target: Path) -> None:
    packed = source.with_suffix(".vqc")
    compress_file(source, packed)
    decompress_file(packed, target)


@pytest.mark.parametrize("mask", [0x3F, 0x60F, None])
def test_a_restored_wav_has_the_channel_mask_of_its_source(mask: int | None, tmp_path: Path) -> None:
    source, target = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, surround(), 8_000, format="WAV" if mask is None else "WAVEX")
    if mask is not None:
        data = bytearray(source.read_bytes())
        data[40:44] = struct.pack("<I", mask)
        source.write_bytes(data)
    there_and_back(source, target)
    fields = struct.unpack_from("<HHIIHHHHI", target.read_bytes(), 20)
    assert fields[:3] == (1 if mask is None else 0xFFFE, 6, 8_000)
    assert mask is None or fields[-1] == mask
    assert loudest(target) == HERTZ


@pytest.mark.parametrize("source_coding", ["VORBIS", "OPUS", "FLAC"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus"])
def test_surround_sound_keeps_its_channels_from_any_container_to_any_other(
    source_coding: str, suffix: str, tmp_path: Path
) -> None:
    in_ogg = [0, 2, 1, 4, 5, 3]
    source, target = tmp_path / "in.x", tmp_path / f"out{suffix}"
    if source_coding == "FLAC":
        soundfile.write(source, surround(), 8_000, format="FLAC")
    else:
        with soundfile.SoundFile(source, "w", 8_000, 6, format="OGG", subtype=source_coding) as file:
            for start in range(0, 9_600, 960):
                file.write(surround()[start : start + 960, in_ogg])
    there_and_back(source, target)
    expected = [HERTZ[channel] for channel in in_ogg] if suffix in (".ogg", ".opus") else HERTZ
    assert loudest(target) == expected
    if suffix == ".wav":
        assert struct.unpack_from("<I", target.read_bytes(), 40)[0] == 0x3F


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_sound_is_written_into_a_pipe(format: str, codec: Codec, tmp_path: Path) -> None:
    packed = codec.compress(Recording([surround()[:, :2].astype(np.float32)], 8_000))
    decompress_file(packed, tmp_path / f"plain.{format}")
    pipe, got = tmp_path / f"pipe.{format}", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    report = decompress_file(packed, pipe, overwrite=True)
    reader.join()
    expected = (tmp_path / f"plain.{format}").read_bytes()
    assert report.bytes_out == len(got[0]) == len(expected)
    if format in ("wav", "flac", "mp3"):  # streams of Ogg have numbers by chance
        assert got[0] == expected


def test_waveforms_above_full_scale_are_told_of() -> None:
    with pytest.warns(MediaWarning, match=r"the waveform has peaks 3\.5 dB above full scale, which are clipped"):
        to_waveform(np.array([0, 1.5, -1]))
    to_waveform(np.array([0, 1, -1], float))
