"""Tiles cover every code once, and what comes out of tiles is what comes out of the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vqc.codec.open import codec_with
from vqc.data.image_files import Picture
from vqc.format import spans
from vqc.format.spans import TILE
from vqc.format.tiling import Tiling, padded_window
from vqc.models.base import ImageModel


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (16, 1024), (17, 1025), (2048, 2049), (1024, 5000), (3000, 1), (1023, 1040)]
)
@pytest.mark.parametrize("factor", [4, 16, 96])
def test_cores_cover_each_code_once_and_context_surrounds_them(height: int, width: int, factor: int) -> None:
    cut = Tiling(height, width, factor=factor, halo=2 * factor)
    assert cut.grid == (-(-height // factor), -(-width // factor))
    seen = np.zeros(cut.grid, int)
    for rows, columns in cut:
        seen[rows.core, columns.core] += 1
        for span, length in zip((rows, columns), cut.grid, strict=True):
            assert span.outer_start == max(0, span.start - 2)
            assert span.outer_stop == min(length, span.stop + 2)
            assert (span.stop - span.start) * factor <= TILE
    assert (seen == 1).all()
    assert len(list(cut)) == len(cut)


def test_the_padding_repeats_the_edge(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    (tile,) = Tiling(5, 6, factor=4, halo=4)
    window = padded_window(pixels, tile, 4)
    assert window.shape == (8, 8, 3)
    rows, columns = np.minimum(np.arange(8), 4), np.minimum(np.arange(8), 5)
    assert np.array_equal(window, pixels[rows][:, columns])


@pytest.mark.parametrize("size", [(150, 131), (64, 65), (200, 3)])
def test_a_tiled_image_is_the_untiled_one(
    size: tuple[int, int], image_model: ImageModel, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = torch.from_numpy(rng.random((1, 3, 6, 6), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)[0]
    picture = Picture((smooth * 255).byte().permute(1, 2, 0).numpy().copy())
    codec = codec_with(image_model, bytes(32))
    whole = codec.compress(picture)
    untiled = codec.decompress(whole)
    monkeypatch.setattr(spans, "TILE", 64)
    tiled_data = codec.compress(picture)
    assert len(list(codec.framing._tiling(*size))) > 1
    assert tiled_data != whole
    # The codes are the same, and so are the pixels up to the order in which floats are added.
    difference = np.abs(codec.decompress(tiled_data).pixels.astype(int) - untiled.pixels)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


def test_without_context_the_seam_shows(
    image_model: ImageModel, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above can fail."""
    picture = Picture(rng.integers(0, 256, (70, 140, 3), dtype=np.uint8))
    codec = codec_with(image_model, bytes(32))
    untiled = codec.decompress(codec.compress(picture)).pixels.astype(int)
    monkeypatch.setattr(spans, "TILE", 64)
    monkeypatch.setattr(type(image_model), "halo", 0)
    blind = codec_with(image_model, bytes(32))
    assert np.abs(blind.decompress(blind.compress(picture)).pixels - untiled)[:, 60:68].max() > 1


def test_an_image_of_four_real_tiles_shows_no_seam(image_model: ImageModel) -> None:
    y, x = np.mgrid[0:1100, 0:1040]
    picture = Picture(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8))
    codec = codec_with(image_model, bytes(32))
    restored = codec.decompress(codec.compress(picture, quality=2)).pixels.astype(int)
    error = np.abs(restored - picture.pixels).astype(float)
    # Columns around 1024 are no worse than others at the same phase of the pattern.
    assert error[:, 1016:1032].mean() <= error[:, 760:776].mean() + 0.01
    assert error[1016:1032].mean() <= error[760:776].mean() + 0.01
