"""A picture as another codec writes it: a file of codec 255, which has no model and no codes.

Such a file has mode 0 (and the flags of images), a digest of zeros, and fields or not. In the place of a quality stands
how the picture is written, which a reader must know:

1, without loss. There is no alpha section. The body is the data of a "VP8L" chunk of WebP (RFC 9649) without its first
five bytes, which say what the header says: the signature 2f, width - 1 and height - 1 in 14 bits each, a bit for alpha,
and a version of 0 in 3 bits, little-endian. With them, and before them "RIFF", length, "WEBPVP8L", length, it is a WebP
file. Of a grayscale picture red, green and blue are alike. Sides are at most 16,383 pixels. RFC 9649 says to the bit
what the pixels are.

9 and 10, with loss: AVIF, up to quality 9 of vqc, and above it. The body is an AVIF file of one picture in sRGB, or of
its luma alone (4:0:0) where it is grayscale, without alpha and metadata, whose sides are those of the header, at most
32,768 pixels. Alpha has its section, as with a model. AV1 says to the bit what the planes are; colours may differ by a
level between versions of the library that makes RGB of them.
"""

from __future__ import annotations

from vqc.errors import ContainerError
from vqc.format.shapes import ImageShape

CODEC = 255  # no kind of model may have this number: see `vqc.models.kinds`
LOSSLESS, AVIF = 1, (9, 10)  # how the picture is written, in the place of a quality
MAX_SIDE, MAX_SIDE_OF_AVIF = 16_383, 32_768

_SIDE_BITS, _SIGNATURE, _HEAD_BYTES = 14, 0x2F, 5
_FRONT = b"RIFF", b"WEBPVP8L"  # before a length each


def name_of(quality: int) -> str:
    """What stands in the place of a kind or a model's name."""
    return "lossless" if quality == LOSSLESS else "avif" if quality in AVIF else "unknown"


def to_webp(body: bytes, shape: ImageShape) -> bytes:
    """The WebP file of a body; ContainerError when it cannot hold a picture of this shape."""
    if max(shape.width, shape.height) > MAX_SIDE:
        raise ContainerError(
            f"the .vqc file is damaged: {shape.size_in_words} cannot be kept without loss; get it again"
        )
    sides = shape.width - 1 | shape.height - 1 << _SIDE_BITS | shape.alpha << 2 * _SIDE_BITS
    data = bytes([_SIGNATURE]) + sides.to_bytes(4, "little") + body
    chunk = _FRONT[1] + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
    return _FRONT[0] + len(chunk).to_bytes(4, "little") + chunk


def from_webp(data: bytes) -> bytes:
    """The body of a WebP file that has nothing but a picture without loss."""
    start = len(_FRONT[0]) + 4 + len(_FRONT[1])
    assert data[start - len(_FRONT[1]) : start] == _FRONT[1], "libwebp writes plain files where nothing else is asked"
    length = int.from_bytes(data[start : start + 4], "little")
    return data[start + 4 + _HEAD_BYTES : start + 4 + length]
