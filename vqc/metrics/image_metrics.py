"""Metrics of images: uint8 [H, W, 3] in, a number out, None where a metric is not defined."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_SMALLEST_SIDE = 161  # of MS-SSIM with five scales and a window of 11


def mse(original: Pixels, restored: Pixels) -> float:
    """Mean squared error of values from 0 to 1."""
    difference = original.astype(np.int32) - restored
    return float(np.square(difference).mean(dtype=np.float64)) / 255**2


def psnr(original: Pixels, restored: Pixels) -> float | None:
    """dB over all values; None for equal images."""
    error = mse(original, restored)
    return -10 * math.log10(error) if error > 0 else None


def ms_ssim(original: Pixels, restored: Pixels) -> float | None:
    """Wang, Simoncelli and Bovik 2003, on R, G and B alike; None for small images."""
    from pytorch_msssim import ms_ssim as measure

    if min(original.shape[:2]) < _SMALLEST_SIDE:
        return None
    batches = [torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] for pixels in (original, restored)]
    with torch.inference_mode():
        return float(measure(*batches, data_range=255))
