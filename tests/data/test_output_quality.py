"""Formats with loss take a quality, and files grow with it; others refuse it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vqc
from vqc.data.audio_files import AudioReader
from vqc.data.audio_writer import AudioWriter
from vqc.data.formats import FORMATS, check_quality
from vqc.data.image_files import Picture, encode_image, read_image
from vqc.errors import OptionError

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("form", [entry.name for entry in FORMATS if entry.lossy and entry.media == "image"])
def test_images_grow_with_the_quality(form: str) -> None:
    sizes = [len(encode_image(Picture(NOISE), form, quality=quality)) for quality in (1, 30, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 3
    best = read_image(encode_image(Picture(NOISE[..., 0]), form, quality=100)).pixels  # colours may be halved
    assert np.abs((best if best.ndim == 2 else best[..., 0]).astype(int) - NOISE[..., 0]).mean() < 8


@pytest.mark.parametrize("form", [entry.name for entry in FORMATS if entry.lossy and entry.media == "audio"])
def test_audio_grows_with_the_quality(form: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (48_000, 1)).astype(np.float32)
    sizes = []
    for quality in (10, 90):
        path = tmp_path / f"{quality}.{form}"
        with AudioWriter(path, 48_000, 1, quality=quality) as writer:
            writer.write(noise)
        sizes.append(path.stat().st_size)
        with AudioReader(path) as reader:
            assert len(reader.read()) == pytest.approx(48_000, abs=3_000)
    assert sizes[0] < 0.9 * sizes[1]


def test_avif_keeps_colours_and_alpha() -> None:
    y, x = np.mgrid[:40, :64]
    smooth = np.stack([x * 4, y * 6, 255 - x], -1).astype(np.uint8)
    alpha = (x * 4).astype(np.uint8)
    again = read_image(encode_image(Picture(smooth, alpha), "avif"))
    assert np.abs(again.pixels.astype(int) - smooth).mean() < 3
    assert again.alpha is not None
    assert np.abs(again.alpha.astype(int) - alpha).mean() < 3


@pytest.mark.parametrize("quality", [0, 101, 2.5, True, "90"])
def test_what_is_no_quality(quality: object) -> None:
    with pytest.raises(OptionError, match="a whole number from 1 to 100"):
        check_quality("jpeg", quality)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["png", "tiff", "bmp", "wav", "flac"])
def test_formats_without_loss_refuse_one(form: str) -> None:
    with pytest.raises(OptionError, match=rf"{form} files are written without loss; an output quality is for \.jpg, "):
        check_quality(form, 50)


def test_restored_files_have_the_quality_asked_for(small_models: Path, tmp_path: Path) -> None:
    packed = vqc.compress(NOISE, model="tiny-image")
    for quality in (5, 95):
        vqc.decompress_file(packed, tmp_path / f"{quality}.jpg", output_quality=quality)
        vqc.decompress(packed).save(tmp_path / f"saved-{quality}.jpg", quality=quality)
        assert (tmp_path / f"{quality}.jpg").read_bytes() == (tmp_path / f"saved-{quality}.jpg").read_bytes()
    assert (tmp_path / "5.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size
    assert Image.open(io.BytesIO((tmp_path / "95.jpg").read_bytes())).size == (64, 48)
    with pytest.raises(OptionError, match="png files are written without loss"):
        vqc.decompress_file(packed, tmp_path / "a.png", output_quality=50)
    assert not (tmp_path / "a.png").exists()
