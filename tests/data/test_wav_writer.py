"""WAV files are what other readers expect: plain where that says all, with a mask or as RF64 where it does not."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
import soundfile
from sound_files import noise

from vqc.data import wav_writer
from vqc.data.audio_files import AudioReader
from vqc.data.audio_writer import AudioWriter
from vqc.errors import MediaWarning, OutputError


def written(channels: int, *, mask: int | None = None, frames: int = 1_000, expected: int = 0) -> bytes:
    file = io.BytesIO()
    with AudioWriter(file, 48_000, channels, format="wav", channel_mask=mask, samples=expected) as writer:
        for block in np.array_split(noise(frames, channels), 3):
            writer.write(block)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("expected", [0, 1_000, 999, 1_001])
def test_mono_and_stereo_are_plain_files(channels: int, expected: int) -> None:
    data = written(channels, expected=expected)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, 48_000, 2)
        assert file.getnframes() == 1_000
        assert file.readframes(2_000) == (noise(1_000, channels) * 2**15).astype("<i2").tobytes()
    assert len(data) == 44 + 2_000 * channels
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


@pytest.mark.parametrize(
    ("channels", "mask", "tag", "written_mask"),
    [
        (6, None, 0xFFFE, 0x3F),
        (8, None, 0xFFFE, 0x63F),
        (6, 0x60F, 0xFFFE, 0x60F),
        (2, 0x30, 0xFFFE, 0x30),
        (6, 0, 1, None),
        (9, None, 1, None),
    ],
)
def test_where_channels_stand_is_written(channels: int, mask: int | None, tag: int, written_mask: int | None) -> None:
    data = written(channels, mask=mask)
    assert struct.unpack_from("<H", data, 20)[0] == tag
    if written_mask is not None:
        assert struct.unpack_from("<I", data, 40)[0] == written_mask
    samples, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert rate == 48_000
    assert np.array_equal(samples, noise(1_000, channels))
    with AudioReader(data) as reader:
        assert reader.channel_mask == mask


@pytest.mark.parametrize("channels", [1, 6])
def test_more_than_4_gib_become_rf64(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav_writer, "_LIMIT", 2_000 * channels - 1)
    data = written(channels, expected=1_000)
    assert data[:4] == b"RF64"
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.format, file.frames, file.channels) == ("RF64", 1_000, channels)
        assert np.array_equal(file.read(always_2d=True), noise(1_000, channels))
    with AudioReader(data) as reader:
        assert len(reader.read()) == 1_000
    assert struct.unpack_from("<QQQ", data, 20) == (len(data) - 8, 2_000 * channels, 1_000)
    assert written(channels, frames=999, expected=999)[:4] == b"RIFF"
    with pytest.raises(OutputError, match=r"ends at 4 GiB; write \.flac"):
        written(channels, expected=0)


def test_the_limit_is_that_of_32_bits() -> None:
    """A file that tells how long it will be, of which the beginning is looked at."""

    class Beginning(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            raise AssertionError("nothing was to be mended")

    for frames, mark in [(2**31 - 2**16, b"RIFF"), (2**31, b"RF64"), (2**36, b"RF64")]:
        file = Beginning()
        wav_writer.WavFile(file, 48_000, 1, mask=None, samples=frames)
        assert file.getvalue()[:4] == mark


def test_flac_cannot_say_where_unusual_channels_stand() -> None:
    def begin(mask: int | None) -> None:
        AudioWriter(io.BytesIO(), 48_000, 4, format="flac", channel_mask=mask).close()

    with pytest.warns(MediaWarning, match=r"flac files cannot say where these channels stand; write \.wav"):
        begin(0x107)
    for fine in (None, 0, 0x33, 0x603):  # at the sides instead of behind
        begin(fine)
