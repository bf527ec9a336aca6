"""Pictures without loss: for graphics, screenshots and text, of which a model makes larger files that show less.

    picture ─ a few tiles ─► far from small? ─ quick WebP ─► about as small as the lossy file? ─ best WebP ─► smaller?

The bytes are libwebp's, in a container: see `vqc.format.plain`.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vqc.codec.codec import Compressed
from vqc.codec.plain import plain_file
from vqc.data.image_files import Picture
from vqc.errors import MediaError
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.plain import LOSSLESS, MAX_SIDE, from_webp

_QUICK, _BEST = {"method": 4, "quality": 75}, {"method": 6, "quality": 100}
_GAIN = 1.5  # at most so many times as small as the quick one is the best
_MOST_BPP, _FEW_PIXELS = 4.0, 100_000  # above both the best takes long and is hardly smaller than the quick one
_TILES, _TILE = 3, 96  # a sample of 3 x 3 tiles of so many pixels a side
_SAMPLE_MISS = 4.0  # so many times as many bits a pixel as the whole a sample may have


def lossless_file(picture: Picture, metadata: Metadata = NO_METADATA) -> Compressed:
    """The file of a picture without loss, hidden colours included.

    Raises:
        MediaError: a side is too long.
    """
    if max(picture.height, picture.width) > MAX_SIDE:
        size = f"{picture.width:,} x {picture.height:,} pixels"
        raise MediaError(
            f"the image has {size}; without loss its sides may have {MAX_SIDE:,}, so compress it with loss"
        )
    return _smallest(_webp(picture, **_QUICK), picture, metadata)


def lossless_below(picture: Picture, size: int, metadata: Metadata, *, drawn: int = 0) -> Compressed | None:
    """The file of a picture without loss, if it is smaller than `size` bytes; hardly any time goes into others.

    Of a drawing, whose sample says that it takes no more than `drawn` bytes, also if it is smaller than these.
    """
    if max(picture.height, picture.width) > MAX_SIDE:
        return None
    sampled = _sampled_size(picture)
    size = max(size, drawn) if sampled <= drawn else size
    if sampled > _SAMPLE_MISS * size + 1_000:
        return None
    quick = _webp(picture, **_QUICK)
    if len(quick) > _GAIN * size:
        return None
    best = _smallest(quick, picture, metadata)
    return best if len(best) < size else None


def _smallest(quick: bytes, picture: Picture, metadata: Metadata) -> Compressed:
    """The file of the quick WebP, or of the best one where that pays."""
    pixels = picture.height * picture.width
    pays = pixels <= _FEW_PIXELS or 8 * len(quick) <= _MOST_BPP * pixels
    webp = min(quick, _webp(picture, **_BEST), key=len) if pays else quick
    return plain_file(from_webp(webp), LOSSLESS, picture, metadata)


def _webp(picture: Picture, *, method: int, quality: int) -> bytes:
    """A WebP file without loss; quality is effort here."""
    return _saved(_channels(picture), method=method, quality=quality)


def _saved(pixels: NDArray[np.uint8], *, method: int, quality: int) -> bytes:
    out = io.BytesIO()
    # exact: colours under alpha 0 too
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, exact=True, method=method, quality=quality)
    return out.getvalue()


def _channels(picture: Picture) -> NDArray[np.uint8]:
    """Pixels [H, W, 3], or with alpha [H, W, 4]."""
    return picture.rgb if picture.alpha is None else np.dstack([picture.rgb, picture.alpha])


def _sampled_size(picture: Picture) -> float:
    """Estimate the size of the file without loss by some tiles, put on top of each other; 0 for small pictures."""
    pixels = picture.height * picture.width
    if pixels < 2 * (_TILES * _TILE) ** 2:
        return 0.0
    tiles = []
    for top in np.linspace(0, max(0, picture.height - _TILE), _TILES, dtype=int):
        for left in np.linspace(0, max(0, picture.width - _TILE), _TILES, dtype=int):
            part = slice(top, top + _TILE), slice(left, left + _TILE)
            tiles.append(
                _channels(Picture(picture.pixels[part], None if picture.alpha is None else picture.alpha[part]))
            )
    sample = np.concatenate(tiles)
    return len(_saved(sample, **_QUICK)) * pixels / math.prod(sample.shape[:2])
