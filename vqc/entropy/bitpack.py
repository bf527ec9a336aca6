"""Codes without an entropy model: ceil(log2 K) bits each, most significant bit first, group after group.

Only the end of the whole stream is padded, with zero bits up to a byte. A group with a single code takes no bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqc.errors import ContainerError


def pack(symbols: ArrayLike, sizes: Sequence[int]) -> bytes:
    """The bytes of symbols [G, N], where group g has codes 0 .. sizes[g]-1."""
    symbols = np.asarray(symbols, dtype=np.int64)
    assert symbols.ndim == 2, "symbols are [G, N]"
    assert ((symbols >= 0) & (symbols < np.array(sizes)[:, None])).all(), "symbol outside its codebook"
    bits = [
        (row[:, None] >> _shifts(size) & 1).astype(np.uint8).ravel() for row, size in zip(symbols, sizes, strict=True)
    ]
    # an empty array at the end: there may be no group with bits
    return np.packbits(np.concatenate([*bits, np.zeros(0, np.uint8)])).tobytes()


def packed_length(sizes: Sequence[int], count: int) -> int:
    """Length in bytes of `count` packed codes of each group."""
    return (count * sum(code_width(size) for size in sizes) + 7) // 8


def unpack(data: bytes, sizes: Sequence[int], count: int) -> NDArray[np.int64]:
    """The symbols [G, count] that `pack` wrote with the same sizes.

    Raises:
        ContainerError: the length is not exactly right, a code is out of range, or the padding is not zero.
    """
    expected = packed_length(sizes, count)
    if len(data) != expected:
        raise ContainerError(
            f"the codes take {len(data):,} bytes instead of {expected:,}; the file is damaged, get it again"
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8))  # [8 · bytes]
    symbols = np.zeros((len(sizes), count), dtype=np.int64)
    start = 0
    for row, size in zip(symbols, sizes, strict=True):
        stop = start + count * code_width(size)
        # [N, width] bits, most significant first, times powers of two
        row[:] = bits[start:stop].reshape(count, code_width(size)) @ (np.int64(1) << _shifts(size))
        start = stop
        if count and row.max() >= size:
            raise ContainerError(f"a code is not among the {size} of its codebook; the file is damaged, get it again")
    if bits[start:].any():
        raise ContainerError("the unused bits after the codes are not zero; the file is damaged, get it again")
    return symbols


def code_width(size: int) -> int:
    """Bits of each code of a group with `size` of them."""
    assert size >= 1
    return (size - 1).bit_length()


def _shifts(size: int) -> NDArray[np.int64]:
    return np.arange(code_width(size) - 1, -1, -1, dtype=np.int64)
