"""Pictures without loss: for graphics, screenshots and text, of which a model makes larger files that show less.

    picture ─ a few tiles ─► far from small? ─ quick WebP ─► about as small as the lossy file? ─ best WebP ─► smaller?

The bytes are libwebp's, in a container: see `vqc.format.lossless`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vqc.codec.codec import Compressed
from vqc.codec.rate import Rate, Score
from vqc.data.image_files import Picture, pixel_limit, quiet_pillow
from vqc.errors import ContainerError, MediaError, OptionError
from vqc.format.container import DIGEST_BYTES, Container, Header, write_container
from vqc.format.lossless import CODEC, MAX_SIDE, QUALITY, from_webp, to_webp
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.shapes import ImageShape

_QUICK, _BEST = {"method": 4, "quality": 75}, {"method": 6, "quality": 100}
_GAIN = 1.5  # at most so many times as small as the quick one is the best
_MOST_BPP = 4.0  # where the quick one has more, the best takes long and is hardly smaller
_TILES, _TILE = 3, 96  # a sample of 3 x 3 tiles of so many pixels a side
_SAMPLE_MISS = 4.0  # so many times as many bits a pixel as the whole a sample may have
_NEARLY = 2.0  # a file without loss that is so many times as large is worth a word
_EXACT = {"psnr": math.inf, "ms_ssim": 1.0}


class StoredPicture(Protocol):
    """A file that has been read."""

    @property
    def header(self) -> Header: ...

    def streams(self, count: int) -> Sequence[bytes]:
        """The streams, of which there must be so many."""


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
    quick = _webp(picture, **_QUICK)
    if 8 * len(quick) > _MOST_BPP * picture.height * picture.width:
        return _file(quick, picture, metadata)
    return _file(min(quick, _webp(picture, **_BEST), key=len), picture, metadata)


def lossless_below(picture: Picture, size: int, metadata: Metadata) -> Compressed | None:
    """The file of a picture without loss, if it is smaller than `size` bytes; hardly any time goes into others."""
    if max(picture.height, picture.width) > MAX_SIDE or _sampled_size(picture) > _SAMPLE_MISS * size + 1_000:
        return None
    quick = _webp(picture, **_QUICK)
    if len(quick) > _GAIN * size:
        return None
    best = _file(min(quick, _webp(picture, **_BEST), key=len), picture, metadata)
    return best if len(best) < size else None


def choose(
    picture: Picture,
    lossy: Callable[[], Compressed],
    lossless: bool | None,
    rate: Rate,
    metadata: Metadata = NO_METADATA,
) -> Compressed:
    """The file of a picture.

    Args:
        lossy: makes the file with a model.
        lossless: whether to keep it without loss; None where that is smaller, or meets the size that is asked for.

    Raises:
        MediaError: it cannot be kept without loss.
    """
    if lossless is not None:
        return lossless_file(picture, metadata) if lossless else lossy()
    rate.check_media("image")
    if rate.is_size:
        fits = lossless_below(picture, rate.target_size(picture.height * picture.width) + 1, metadata)
        return lossy() if fits is None else fits
    made = lossy()
    found, score = lossless_below(picture, round(_NEARLY * len(made)), metadata), rate.target_score
    if found is None:
        return made
    if len(found) >= len(made):
        return replace(made, lossless_bytes=len(found))
    return found if score is None else replace(found, score=Score(score.metric, _EXACT[score.metric]))


def wanted_lossless(
    lossless: bool | None, *, model: object, quality: float | None, entropy: str, rate: Rate
) -> bool | None:
    """What `choose` is to be told: who names a model or an entropy mode asks for codes.

    Raises:
        OptionError: lossless stands beside an option that only files with codes have.
    """
    codes = {"a model": model is not None, f"entropy {entropy}": entropy != "auto"}
    others = {"a quality": quality is not None, "a target": rate.is_target, "lambda": rate.lmbda is not None}
    if not lossless:
        contradicting = quality is not None and rate.is_target  # making codes says so
        return False if contradicting or any(codes.values()) else lossless
    for name, given in {**codes, **others, "an effort": rate.effort is not None}.items():
        if given:
            raise OptionError(f"lossless and {name} exclude each other; give one")
    return lossless


def restore_lossless(file: StoredPicture, size: int, limit: int | None = None) -> Picture:
    """The picture in a file of `size` bytes.

    Raises:
        ContainerError: it is damaged, or claims more pixels than a file so small may; not with a limit.
    """
    shape = file.header.shape.as_image  # the number is odd
    if file.header.quality != QUALITY:
        raise ContainerError(
            f"the .vqc file holds a picture without loss of sort {file.header.quality}, which this version does not "
            "know; update vqc"
        )
    if limit is None and shape.pixels > pixel_limit(size):
        raise ContainerError(
            f"the .vqc file has {size:,} bytes and claims {shape.size_in_words}; "
            f"if you trust it, give --limit {shape.size}"
        )
    data = to_webp(file.streams(1)[0], shape)
    with quiet_pillow():
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                right = image.size == (shape.width, shape.height)
                pixels = np.asarray(image.convert("RGBA" if shape.alpha else "RGB")) if right else None
        except Exception as error:  # Pillow's readers raise almost anything on a damaged file
            raise _damaged() from error
    if pixels is None:
        raise _damaged()
    colours = pixels[..., 0] if shape.grayscale else pixels[..., :3]
    return Picture(np.ascontiguousarray(colours), np.ascontiguousarray(pixels[..., 3]) if shape.alpha else None)


def _file(webp: bytes, picture: Picture, metadata: Metadata) -> Compressed:
    shape = ImageShape(
        width=picture.width, height=picture.height, grayscale=picture.grayscale, alpha=picture.alpha is not None
    )
    header = Header(codec=CODEC, entropy="none", quality=QUALITY, digest=bytes(DIGEST_BYTES), shape=shape)
    container = Container(header=header, body=from_webp(webp), metadata=metadata)
    return Compressed(container, write_container(container))


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
    pixels = picture.pixels if picture.pixels.ndim == 3 else np.repeat(picture.pixels[..., None], 3, axis=2)
    return pixels if picture.alpha is None else np.dstack([pixels, picture.alpha])


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


def _damaged() -> ContainerError:
    return ContainerError("the .vqc file is damaged: its picture cannot be right; get it again")
