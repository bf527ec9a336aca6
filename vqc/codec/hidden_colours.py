"""Colours that nobody sees, under alpha 0: before a picture is compressed they go on from what is seen beside them.

What image programs leave there (black, white, what was cut away) would cost bits and bleed into the edge. This is the
encoder's business alone: the format knows nothing of it.

    seen pixels ─ mean of each 2 x 2 ─ mean of each 2 x 2 ─ … ─ one pixel
        │                  │ enlarged             │ enlarged
      hidden ◄─────────────┴ hidden ◄─────────────┴ …
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vqc.data.image_files import Picture

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def seen_pixels(picture: Picture) -> Mask | None:
    """Return a mask [H, W] of the pixels that can be seen; None for all."""
    return None if picture.alpha is None or picture.alpha.all() else picture.alpha > 0


def without_hidden(picture: Picture) -> Picture:
    """Return a picture that looks the same, whose hidden colours continue the seen ones smoothly."""
    seen = seen_pixels(picture)
    return picture if seen is None else Picture(_filled(picture.pixels, seen), picture.alpha)


def _filled(pixels: Pixels, seen: Mask) -> Pixels:
    """Pixels [H, W] or [H, W, 3] with those not seen taken from a picture of half the size, which is filled before."""
    if seen.all():
        return pixels
    if not seen.any():
        return np.zeros_like(pixels)
    height, width = seen.shape
    half = Image.fromarray(_filled(*_halved(pixels, seen)))  # [H/2, W/2, ...], rounded up
    enlarged = half.resize((width, height), Image.Resampling.BILINEAR, box=(0, 0, width / 2, height / 2))
    result = np.array(enlarged)
    np.copyto(result, pixels, where=seen if pixels.ndim == 2 else seen[..., None])
    return result


def _halved(pixels: Pixels, seen: Mask) -> tuple[Pixels, Mask]:
    """The mean of what is seen in each 2 x 2 pixels, and where anything is."""
    height, width = (-(-side // 2) for side in seen.shape)
    # uint16: at most four values of 255
    counts = np.zeros((height, width, *[1] * (pixels.ndim - 2)), np.uint16)
    sums = np.zeros((height, width, *pixels.shape[2:]), np.uint16)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = seen[down::2, right::2]
        part = part if pixels.ndim == 2 else part[..., None]
        counts[: part.shape[0], : part.shape[1]] += part
        sums[: part.shape[0], : part.shape[1]] += pixels[down::2, right::2] * part
    means = (sums + counts // 2) // np.maximum(counts, 1)  # rounded to the nearest
    return means.astype(np.uint8), counts.reshape(height, width) > 0
