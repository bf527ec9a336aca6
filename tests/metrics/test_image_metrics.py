"""Metrics of images against their definitions."""

import math

import numpy as np
import pytest

from vqc.metrics.scores import score_images


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_errors_are_of_values_from_0_to_1() -> None:
    original = np.full((4, 5, 3), 100, np.uint8)
    restored = original.copy()
    restored[0, 0, 0] = 151  # a fifth of the range in one of 60 values
    found = score_images(original, restored, ("mse", "psnr"))
    assert found["mse"] == pytest.approx(0.2**2 / 60)
    assert found["psnr"] == pytest.approx(10 * math.log10(255**2 / (51**2 / 60)))


def test_differences_do_not_wrap_around() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert score_images(black, white, ("mse",)) == score_images(white, black, ("mse",)) == {"mse": 1.0}


def test_an_image_without_error_has_no_psnr() -> None:
    pixels = noise((8, 8, 3))
    assert score_images(pixels, pixels, ("mse", "psnr")) == {"mse": 0.0}


def test_only_what_is_wanted_is_measured() -> None:
    assert set(score_images(noise((4, 4, 3)), noise((4, 4, 3), 1), ("psnr", "stoi"))) == {"psnr"}


def test_structure_counts_in_ms_ssim() -> None:
    pytest.importorskip("pytorch_msssim")
    original = noise((161, 170, 3)) // 4 + 64
    brighter = original + np.uint8(10)
    shuffled = np.random.default_rng(2).permutation(original.reshape(-1, 3)).reshape(original.shape)
    same, bright, lost = (score_images(original, x, ("ms_ssim",))["ms_ssim"] for x in (original, brighter, shuffled))
    assert same == pytest.approx(1, abs=1e-6)
    assert lost < 0.6 < 0.9 < bright < same


def test_small_images_have_no_ms_ssim() -> None:
    pytest.importorskip("pytorch_msssim")
    assert score_images(noise((160, 400, 3)), noise((160, 400, 3), 1), ("ms_ssim",)) == {}
