"""Audio files in soundfile's manner, and any file that is open for writing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import vqc
from vqc.errors import ContainerError, MediaError, OptionError, OutputError

pytestmark = pytest.mark.usefixtures("small_models")
RATE = 8_000


def tone(channels: int = 1) -> np.ndarray:
    """float32 [T, C]."""
    return (0.3 * np.sin(np.arange(900)[:, None] * (0.1 + 0.05 * np.arange(channels)))).astype(np.float32)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "clip.vqc"
    vqc.write(path, tone(2), RATE, model="tiny-audio")
    assert path.read_bytes() == vqc.compress(tone(2), sample_rate=RATE, model="tiny-audio")
    samples, rate = vqc.read(path)
    assert rate == RATE
    assert samples.dtype == np.float32
    assert np.array_equal(samples, vqc.decompress(path.read_bytes()).samples)
    held = io.BytesIO()
    vqc.write(held, tone(2), RATE, model="tiny-audio")
    assert held.getvalue() == path.read_bytes()
    held.seek(0)
    assert np.array_equal(vqc.read(held)[0], samples)


def test_one_channel_is_flat_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "clip.vqc"
    vqc.write(path, tone()[:, 0], RATE, model="tiny-audio")
    assert vqc.read(path)[0].shape == (900,)
    assert vqc.read(path, always_2d=True)[0].shape == (900, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32"])
def test_samples_come_in_the_type_asked_for_as_soundfile_scales_them(tmp_path: Path, dtype: Any) -> None:
    vqc.write(tmp_path / "clip.vqc", tone(), RATE, model="tiny-audio")
    floats, _ = vqc.read(tmp_path / "clip.vqc")
    soundfile.write(tmp_path / "clip.wav", floats, RATE, subtype="FLOAT")
    found, _ = vqc.read(tmp_path / "clip.vqc", dtype=dtype)
    assert found.dtype == np.dtype(dtype)
    expected = floats if "float" in dtype else floats.astype(np.float64) * 2 ** (8 * found.itemsize - 1)
    assert np.abs(found - expected).max() <= 0.5


def test_files_that_are_not_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.vqc"
    path.write_bytes(vqc.compress(np.zeros((8, 8, 3), np.uint8), model="tiny-image"))
    with pytest.raises(MediaError, match="holds an image; restore it with"):
        vqc.read(path)
    with pytest.raises(OutputError, match="exists already"):
        vqc.write(path, tone(), RATE, model="tiny-audio")
    vqc.write(path, tone(), RATE, model="tiny-audio", overwrite=True)
    assert len(vqc.read(path)[0]) == 900
    with pytest.raises(MediaError, match="cannot be read"):
        vqc.read(tmp_path / "absent.vqc")
    with pytest.raises(ContainerError, match="it does not begin with the letters VQC"):
        vqc.read(io.BytesIO(b"RIFF"))


def test_open_files_are_written_where_paths_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    packed, restored = io.BytesIO(), io.BytesIO()
    report = vqc.compress_file(tmp_path / "a.png", packed, model="tiny-image", explain=True)
    assert packed.getvalue() == vqc.compress(pixels, model="tiny-image")
    assert report.bytes_out == len(packed.getvalue())
    assert report.explanation is not None
    assert report.heat_map is None, "nothing lies beside an open file"
    vqc.decompress_file(packed.getvalue(), restored, format="png")
    expected = vqc.decompress(packed.getvalue()).array
    assert np.array_equal(np.asarray(Image.open(restored)), expected)
    with (tmp_path / "b.webp").open("wb") as named:
        vqc.decompress_file(packed.getvalue(), named)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.webp")), expected), "the format is that of its name"
    sound = io.BytesIO()
    vqc.decompress_file(vqc.compress(tone(2), sample_rate=RATE, model="tiny-audio"), sound, format="flac")
    sound.seek(0)
    assert soundfile.info(sound).frames == 900


def test_an_open_file_gets_nothing_when_something_goes_wrong(tmp_path: Path) -> None:
    held = io.BytesIO()
    with pytest.raises(MediaError):
        vqc.compress_file(b"no picture", held)
    with pytest.raises(OptionError, match="without a name needs a format"):
        vqc.decompress_file(vqc.compress(np.zeros((8, 8, 3), np.uint8), model="tiny-image"), held)
    assert held.getvalue() == b""
    with (tmp_path / "t").open("w", encoding="utf-8") as text, pytest.raises(OptionError, match="mode 'wb'"):
        vqc.compress_file(b"", text)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="a path or a file open for writing, not int"):
        vqc.compress_file(b"", 3)  # type: ignore[arg-type]
