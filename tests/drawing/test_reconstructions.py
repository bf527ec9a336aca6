"""Originals stand above what was restored of them, pixel by pixel where they are small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vqc.drawing.reconstructions import draw_reconstructions, draw_waveforms, psnr, snr

CAPTION = r"lamps: trained on my $\frac{photos}$, 1,200 steps (3 epochs)."


def description(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.info["Description"])


def test_small_images_are_enlarged_pixel_by_pixel_the_original_above(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (2, 1, 12, 12, 3), np.uint8)  # original and restored, one image
    original, restored = torch.from_numpy(pixels).movedim(-1, 2).float() / 255
    path = draw_reconstructions(original, restored, tmp_path / "new" / "images.png", CAPTION).save()
    assert description(path) == CAPTION
    sheet = np.asarray(Image.open(path).convert("RGB"))
    tops = []
    for image in pixels[:, 0]:
        large = image.repeat(10, 0).repeat(10, 1)
        places = np.argwhere((sheet[:-120, :-120] == large[0, 0]).all(-1))
        (top, left) = next((y, x) for y, x in places if (sheet[y : y + 120, x : x + 120] == large).all())
        tops.append((left, top))
    assert tops[0][0] == tops[1][0]
    assert tops[0][1] + 120 <= tops[1][1]


def test_images_of_all_shapes_and_clips_of_all_lengths_are_drawn(tmp_path: Path, rng: np.random.Generator) -> None:
    images = [torch.rand(1, 3, 300, 200), torch.rand(1, 3, 20, 300)]
    assert description(draw_reconstructions(images, images, tmp_path / "a.png", CAPTION).save()) == CAPTION
    clips = [torch.rand(1, 4000) - 0.5, torch.zeros(1, 700)]
    path = draw_waveforms(clips, [-x for x in clips], tmp_path / "b.png", CAPTION, sample_rate=8000).save()
    assert description(path) == CAPTION


def test_ratios_are_those_of_their_definitions() -> None:
    x = torch.rand(3, 8, 8)
    assert psnr(x, x + 0.1) == pytest.approx(20, abs=1e-3)
    assert snr(x, 0.9 * x) == pytest.approx(20, abs=1e-3)
    assert psnr(x, x) == snr(x, x) == np.inf
