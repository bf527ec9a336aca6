"""A picture without loss: a file of codec 255, which has no model and no codes.

Such a file has mode 0 (and the flags of images), a digest of zeros, fields or not, and no alpha section. In the place
of a quality stands how the picture is written, which a reader must know; so far that is always 1:

The body is the data of a "VP8L" chunk of WebP (RFC 9649) without its first five bytes, which say what the header says:
the signature 2f, width - 1 and height - 1 in 14 bits each, a bit for alpha, and a version of 0 in 3 bits,
little-endian. With them, and before them "RIFF", length, "WEBPVP8L", length, it is a WebP file. Of a grayscale picture
red, green and blue are alike. Sides are at most 16,383 pixels. RFC 9649 says to the bit what the pixels are.
"""

from __future__ import annotations

from vqc.errors import ContainerError
from vqc.format.shapes import ImageShape

CODEC = 255  # no kind of model may have this number: see `vqc.models.kinds`
QUALITY = 1  # how the picture is written
NAME = "lossless"  # in the place of a kind or a model's name
MAX_SIDE = 16_383

_SIDE_BITS, _SIGNATURE, _HEAD_BYTES = 14, 0x2F, 5
_FRONT = b"RIFF", b"WEBPVP8L"  # before a length each


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
