"""Colours under alpha 0 decide nothing: not the size of a file, and not what is seen of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vqc.codec.api import compress_file
from vqc.codec.hidden_colours import seen_pixels, without_hidden
from vqc.codec.open import codec_with
from vqc.data.image_files import Picture, encode_image
from vqc.metrics.mse import image_mse
from vqc.models.base import ImageModel

Pixels = NDArray[np.uint8]
HEIGHT, WIDTH = 96, 130


def disc(radius: float = 30) -> Pixels:
    """Alpha of a disc with a soft edge of 2 pixels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(y - 50, x - 60)
    return np.clip((radius - distance) * 127, 0, 255).astype(np.uint8)


def slope(grayscale: bool) -> Pixels:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    colours = np.stack([40 + x, 60 + y, 220 - x], -1).astype(np.uint8)
    return colours[..., 1] if grayscale else colours


def with_hidden(pixels: Pixels, alpha: Pixels, hidden: Pixels | int) -> Picture:
    changed = np.where((alpha == 0).reshape(*alpha.shape, *[1] * (pixels.ndim - 2)), hidden, pixels)
    return Picture(changed.astype(np.uint8), alpha)


@pytest.mark.parametrize("grayscale", [False, True])
def test_hidden_colours_decide_nothing(image_model: ImageModel, grayscale: bool, rng: np.random.Generator) -> None:
    codec = codec_with(image_model, bytes(32))
    pixels, alpha = slope(grayscale), disc()
    noise = rng.integers(0, 256, pixels.shape, dtype=np.uint8)
    files = {codec.compress(with_hidden(pixels, alpha, hidden), quality=2) for hidden in (0, 255, noise)}
    assert len(files) == 1
    restored = codec.decompress(files.pop())
    assert restored.alpha is not None
    assert np.array_equal(restored.alpha, alpha)


@pytest.mark.parametrize("grayscale", [False, True])
def test_they_go_on_from_what_is_seen(grayscale: bool) -> None:
    """No step where alpha begins, none further out, and what is seen is not touched."""
    pixels, alpha = slope(grayscale), disc()
    filled = without_hidden(with_hidden(pixels, alpha, 0)).pixels.astype(int)
    seen = alpha > 0
    assert np.array_equal(filled[seen], pixels[seen])
    for axis in (0, 1):
        assert np.abs(np.diff(filled, axis=axis)).max() <= 12  # with 0 left there: 150
    assert pixels[seen].min() <= filled.min()
    assert filled.max() <= pixels[seen].max()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 2), (33, 64)])
def test_every_size_and_share_is_filled(size: tuple[int, int], rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    for share in (0.0, 0.1, 0.9, 1.0):
        alpha = np.where(rng.random(size) < share, 200, 0).astype(np.uint8)
        filled = without_hidden(Picture(pixels, alpha))
        assert filled.pixels.shape == pixels.shape
        assert np.array_equal(filled.pixels[alpha > 0], pixels[alpha > 0])
        assert filled.alpha is alpha
        if not alpha.any():
            assert not filled.pixels.any()
    opaque = Picture(pixels, np.full(size, 255, np.uint8))
    assert without_hidden(opaque) is opaque
    assert without_hidden(Picture(pixels)).pixels is pixels


def test_errors_are_counted_where_they_are_seen() -> None:
    before, after = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    alpha = np.zeros((4, 4), np.uint8)
    alpha[0] = 7
    after[0] = 51
    assert math.isclose(image_mse(before, after, seen_pixels(Picture(before, alpha))), 0.04)
    assert math.isclose(image_mse(before, after), (4 * 0.04 + 12) / 16)


@pytest.mark.usefixtures("small_models")
def test_stats_leave_hidden_colours_out(tmp_path: Path) -> None:
    errors = set()
    for hidden in (0, 255):
        (tmp_path / "a.png").write_bytes(encode_image(with_hidden(slope(False), disc(), hidden), "png"))
        report = compress_file(tmp_path / "a.png", tmp_path / f"{hidden}.vqc", model="tiny-image", stats=True)
        errors.add(report.mse)
    assert len(errors) == 1
