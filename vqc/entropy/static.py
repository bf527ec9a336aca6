"""Order-0 range coding: each group of codes has one fixed table.

All groups go into one range coder stream, group after group. A range coder narrows an interval of numbers with every
symbol, and any number in the last interval names the message. The stream is the shortest such number, written most
significant byte first: zero bytes at its end say nothing, so they are left off, and read as if they were there.
A stream may therefore end long before its symbols do, as those of flat pictures, and only at the end of the symbols is
it known whether they are what was written: how many may be asked of a short file is bounded in `vqc.codec.limits`.
Compared with the information content, a whole message loses less than one byte to this rounding, and less than
0.1 % to the coder's arithmetic.
"""

from __future__ import annotations

import numpy as np
from constriction import stream
from numpy.typing import ArrayLike, NDArray

from vqc.entropy.tables import TOTAL, table_sizes
from vqc.errors import ContainerError

_STATE_BITS = 64  # the coder's interval; it emits words of 32 bits
_WORD = np.dtype(">u4")


def encode_symbols(symbols: ArrayLike, frequencies: ArrayLike) -> bytes:
    """One stream of bytes for symbols [G, N] under tables [G, K] (see `vqc.entropy.tables`)."""
    symbols, frequencies = np.asarray(symbols), np.asarray(frequencies)
    assert symbols.ndim == 2, "symbols are [G, N]"
    encoder = stream.queue.RangeEncoder()
    for row, table, size in zip(symbols, frequencies, table_sizes(frequencies), strict=True):
        assert row.size == 0 or (row.min() >= 0 and row.max() < size), "symbol outside its table"
        if size > 1 and row.size:
            encoder.encode(row.astype(np.int32), _model(table[:size]))
    return shortest_bytes(encoder)


def decode_symbols(data: bytes, frequencies: ArrayLike, count: int) -> NDArray[np.int64]:
    """The symbols [G, count] that `encode_symbols` wrote with the same tables [G, K].

    Raises:
        ContainerError: `data` is not what `encode_symbols` writes for any symbols (too long, or outside the tables).
    """
    frequencies = np.asarray(frequencies)
    decoder = stream.queue.RangeDecoder(to_words(data))
    symbols = np.zeros((len(frequencies), count), dtype=np.int64)
    for row, table, size in zip(symbols, frequencies, table_sizes(frequencies), strict=True):
        if size > 1 and count:
            try:
                row[:] = decoder.decode(_model(table[:size]), count)
            except AssertionError as error:  # constriction's way to say "invalid data"
                raise damaged() from error
    # Each message has exactly one form; so this also finds bytes that trail. Encoding is the cheaper direction.
    if encode_symbols(symbols, frequencies) != data:
        raise damaged()
    return symbols


def damaged() -> ContainerError:
    """The error for a stream that cannot be right."""
    return ContainerError("the codes in the .vqc file are damaged or of another model; get the file again")


def _model(table: NDArray[np.int64]) -> stream.model.Categorical:
    # Exact: f / 2^16 and its running sums have 16 bits, and constriction scales them by an integer below 2^24.
    return stream.model.Categorical(table.astype(np.float64) / TOTAL, perfect=False)


def to_words(data: bytes) -> NDArray[np.uint32]:
    """A stream as constriction reads it."""
    padded = data + bytes(-len(data) % _WORD.itemsize)
    return np.frombuffer(padded, _WORD).astype(np.uint32)


def shortest_bytes(encoder: stream.queue.RangeEncoder) -> bytes:
    """The number in the encoder's last interval that needs the fewest bytes."""
    words = encoder.get_compressed().astype(_WORD)
    emitted, (lower, width) = encoder.pos()
    prefix = int.from_bytes(words[:emitted].tobytes(), "big")
    last = words[emitted:].tobytes().ljust(_STATE_BITS // 8, b"\0")
    if int.from_bytes(last, "big") < lower:  # constriction chose a number past a carry into the words before
        prefix -= 1
    low = (prefix << _STATE_BITS) | lower
    # low, rounded up to numbers that end in fewer and fewer zero bits, until one lies in the interval
    rounded_up = (-(-low >> bits) << bits for bits in range(_STATE_BITS, -1, -8))
    value: int = next(number for number in rounded_up if number < low + width)
    return value.to_bytes(_WORD.itemsize * emitted + _STATE_BITS // 8, "big").rstrip(b"\0")
