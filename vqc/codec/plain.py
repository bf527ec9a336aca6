"""Pictures as other codecs write them, in a container: see `vqc.format.plain`."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from vqc.codec.codec import Compressed
from vqc.codec.segments import StreamSource
from vqc.data.image_files import Picture, pixel_limit, quiet_pillow
from vqc.errors import ContainerError, MissingPackageError
from vqc.format.alpha import decode_alpha
from vqc.format.container import DIGEST_BYTES, Container, Header, write_container
from vqc.format.metadata import Metadata
from vqc.format.plain import CODEC, LOSSLESS, MAX_SIDE_OF_AVIF, name_of, to_webp
from vqc.format.shapes import ImageShape

WITHOUT_AVIF = "this Pillow has been built without AVIF; install one from PyPI, version 11.3 or later"


def plain_file(
    body: bytes, quality: int, picture: Picture, metadata: Metadata, alpha: bytes | None = None
) -> Compressed:
    """The file of a picture that is written in the way that stands in the place of its quality."""
    shape = ImageShape(
        width=picture.width, height=picture.height, grayscale=picture.grayscale, alpha=picture.alpha is not None
    )
    header = Header(codec=CODEC, entropy="none", quality=quality, digest=bytes(DIGEST_BYTES), shape=shape)
    container = Container(header=header, body=body, alpha=alpha, metadata=metadata)
    return Compressed(container, write_container(container))


def restore_plain(file: StreamSource, size: int, limit: int | None = None) -> Picture:
    """The picture in a file of `size` bytes.

    Raises:
        ContainerError: it is damaged, or claims more pixels than a file so small may; not with a limit.
        MissingPackageError: it is AVIF, which Pillow cannot read here.
    """
    header, shape = file.header, file.header.shape.as_image  # the number is odd
    form = {"lossless": "WEBP", "avif": "AVIF"}.get(name_of(header.quality))
    if form is None:
        raise ContainerError(
            f"the .vqc file holds a picture of sort {header.quality}, which this version does not know; update vqc"
        )
    if form == "AVIF" and not features.check("avif"):
        raise MissingPackageError(f"the .vqc file holds an AVIF picture, and {WITHOUT_AVIF}")
    if limit is None and shape.pixels > pixel_limit(size):
        raise ContainerError(
            f"the .vqc file has {size:,} bytes and claims {shape.size_in_words}; "
            f"if you trust it, give --limit {shape.size}"
        )
    if form == "AVIF" and max(shape.width, shape.height) > MAX_SIDE_OF_AVIF:
        raise _damaged()
    body, is_lossless = file.streams(1)[0], header.quality == LOSSLESS
    pixels = _pixels(to_webp(body, shape) if is_lossless else body, form, shape, alpha=shape.alpha and is_lossless)
    alpha = np.ascontiguousarray(pixels[..., 3]) if shape.alpha and is_lossless else None
    if file.alpha is not None:
        alpha = decode_alpha(file.alpha, shape.height, shape.width)
    return Picture(np.ascontiguousarray(pixels[..., 0] if shape.grayscale else pixels[..., :3]), alpha)


def _pixels(data: bytes, form: str, shape: ImageShape, *, alpha: bool) -> NDArray[np.uint8]:
    """The pixels [H, W, 3 or 4] of an image file that has this shape."""
    with quiet_pillow():
        try:
            with Image.open(io.BytesIO(data), formats=(form,)) as image:
                right = image.size == (shape.width, shape.height)
                pixels = np.asarray(image.convert("RGBA" if alpha else "RGB")) if right else None
        except Exception as error:  # Pillow's readers raise almost anything on a damaged file
            raise _damaged() from error
    if pixels is None:
        raise _damaged()
    return pixels


def _damaged() -> ContainerError:
    return ContainerError("the .vqc file is damaged: its picture cannot be right; get it again")
