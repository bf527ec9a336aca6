"""Alpha beside the colour of an image, without loss. This coding is part of the format.

The first byte of the section says how the alpha a[y, x] of H x W pixels was made simple before compression, all
differences modulo 256 and with zeros beyond the edge:

    0  constant       one more byte: the value of every pixel
    1  as it is       a[y, x]
    2  up             a[y, x] - a[y-1, x]
    3  left           a[y, x] - a[y, x-1]
    4  gradient       a[y, x] - a[y-1, x] - a[y, x-1] + a[y-1, x-1]
    5  two values     1 bit a pixel, set for 255, clear for 0; rows start at a byte; first pixel in the high bit

The bytes of 1 to 5 follow as a raw LZMA2 stream (dictionary of 2^22 bytes) with nothing after it.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vqc.errors import ContainerError

Plane = NDArray[np.uint8]  # [H, W]

# lc, pb: no literal context and no alignment, which is 5 % smaller on edges and gradients than LZMA's defaults.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 22, "lc": 0, "lp": 0, "pb": 0}]
_CONSTANT, _AS_IS, _UP, _LEFT, _GRADIENT, _TWO_VALUES = range(6)


def encode_alpha(alpha: Plane) -> bytes:
    """The alpha section of a plane [H, W] with at least one pixel."""
    first = int(alpha[0, 0])
    if (alpha == first).all():
        return bytes([_CONSTANT, first])
    if ((alpha == 0) | (alpha == 255)).all():
        method, simple = _TWO_VALUES, np.packbits(alpha > 0, axis=1)
    else:
        # A quick compressor tells as well as the slow one which differences are simplest.
        method, simple = min(
            ((m, difference(alpha)) for m, difference in _DIFFERENCES.items()),
            key=lambda candidate: len(zlib.compress(candidate[1].data, 1)),
        )
    return bytes([method]) + lzma.compress(simple.tobytes(), format=lzma.FORMAT_RAW, filters=_FILTERS)


def decode_alpha(section: bytes, height: int, width: int) -> Plane:
    """The plane [H, W] of a section; never holds more than a few times H·W bytes.

    Raises:
        ContainerError: the section is not what `encode_alpha` writes for a plane of this size.
    """
    if not section or section[0] > _TWO_VALUES:
        raise _damaged()
    method, rest = section[0], section[1:]
    if method == _CONSTANT:
        if len(rest) != 1:
            raise _damaged()
        return np.full((height, width), rest[0], np.uint8)
    columns = -(-width // 8) if method == _TWO_VALUES else width
    plane = np.frombuffer(_decompress(rest, height * columns), np.uint8).reshape(height, columns).copy()
    if method == _TWO_VALUES:
        return np.unpackbits(plane, axis=1, count=width) * np.uint8(255)
    if method in (_UP, _GRADIENT):
        np.add.accumulate(plane, axis=0, out=plane)
    if method in (_LEFT, _GRADIENT):
        np.add.accumulate(plane, axis=1, out=plane)
    return plane


def _up(plane: Plane) -> Plane:
    return np.diff(plane, axis=0, prepend=np.uint8(0))


def _left(plane: Plane) -> Plane:
    return np.diff(plane, axis=1, prepend=np.uint8(0))


_DIFFERENCES: dict[int, Callable[[Plane], Plane]] = {
    _AS_IS: np.ascontiguousarray,
    _UP: _up,
    _LEFT: _left,
    _GRADIENT: lambda plane: _left(_up(plane)),
}


def _decompress(data: bytes, length: int) -> bytes:
    """Exactly `length` bytes, however many more the data would give."""
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    parts, missing = [], length
    try:
        while not decoder.eof:
            part = decoder.decompress(data, max_length=missing + 1)  # one more shows that there is more
            data = b""
            parts.append(part)
            missing -= len(part)
            if missing < 0 or (not part and not decoder.eof):
                raise _damaged()
    except lzma.LZMAError as error:
        raise _damaged() from error
    if missing or decoder.unused_data:
        raise _damaged()
    return b"".join(parts)


def _damaged() -> ContainerError:
    return ContainerError("the .vqc file is damaged: its alpha cannot be right; get it again")
