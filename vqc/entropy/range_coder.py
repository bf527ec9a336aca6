"""Range coding, exactly: with one fixed table for each group of codes ("static"), or with a table for every symbol.

A range coder narrows an interval of numbers with every symbol, and any number in the last interval names the message.
The stream is the shortest such number, written most significant byte first: zero bytes at its end say nothing, so they
are left off, and read as if they were there. A stream may therefore end long before its symbols do, as those of flat
pictures, and only at the end of the symbols is it known whether they are what was written: how many may be asked of a
short file is bounded in `vqc.codec.limits`. Compared with the information content, a whole message loses less than one
byte to this rounding, and less than 0.1 % to the coder's arithmetic.

Static tables are frequencies f_k >= 1 that sum to 2^16 (see `vqc.entropy.tables`). Tables for every symbol, which a
learned prior gives, are whole numbers up to 2^24 of any sum; whoever decodes must ask for the symbols in the same
portions, with the same tables.
"""

from __future__ import annotations

import numpy as np
from constriction import stream
from numpy.typing import ArrayLike, NDArray

from vqc.entropy import tables
from vqc.errors import ContainerError

PRECISION = 24  # bits of a table for one symbol
TOTAL = 1 << PRECISION
_STATE_BITS = 64  # the coder's interval; it emits words of 32 bits
_WORD = np.dtype(">u4")

Frequencies = NDArray[np.float64]  # [N, K] of whole numbers up to 2^24, of any sum

# Running sums of whole numbers are exact in float64. constriction scales each by (2^24 - K) / sum and rounds down, as
# IEEE 754 says, and so the same everywhere.
_FAMILY = stream.model.Categorical(perfect=False)


def encode_static(symbols: ArrayLike, frequencies: ArrayLike) -> bytes:
    """One stream of bytes for symbols [G, N], group after group, under static tables [G, K]."""
    symbols, frequencies = np.asarray(symbols), np.asarray(frequencies)
    assert symbols.ndim == 2, "symbols are [G, N]"
    encoder = stream.queue.RangeEncoder()
    for row, table, size in zip(symbols, frequencies, tables.table_sizes(frequencies), strict=True):
        assert row.size == 0 or (row.min() >= 0 and row.max() < size), "symbol outside its table"
        if size > 1 and row.size:
            encoder.encode(row.astype(np.int32), _static_model(table[:size]))
    return _shortest_bytes(encoder)


def decode_static(data: bytes, frequencies: ArrayLike, count: int) -> NDArray[np.int64]:
    """The symbols [G, count] that `encode_static` wrote with the same tables [G, K].

    Raises:
        ContainerError: `data` is not what `encode_static` writes for any symbols (too long, or outside the tables).
    """
    frequencies = np.asarray(frequencies)
    decoder = stream.queue.RangeDecoder(_to_words(data))
    symbols = np.zeros((len(frequencies), count), dtype=np.int64)
    for row, table, size in zip(symbols, frequencies, tables.table_sizes(frequencies), strict=True):
        if size > 1 and count:
            try:
                row[:] = decoder.decode(_static_model(table[:size]), count)
            except AssertionError as error:  # constriction's way to say "invalid data"
                raise _damaged() from error
    # Each message has exactly one form; so this also finds bytes that trail. Encoding is the cheaper direction.
    if encode_static(symbols, frequencies) != data:
        raise _damaged()
    return symbols


def symbol_bits(symbols: NDArray[np.int32], frequencies: Frequencies) -> NDArray[np.float64]:
    """Return the information content in bits of each of symbols [N] under tables [N, K].

    To keep every symbol possible constriction gives each 1 / 2^24 and divides the rest as the table says.
    """
    rows, size = frequencies.shape
    share = frequencies[np.arange(rows), symbols] / frequencies.sum(1)
    bits: NDArray[np.float64] = PRECISION - np.log2(1 + share * (TOTAL - size))
    return bits


class RangeEncoder:
    """Writes symbols, portion by portion, with a table for each."""

    def __init__(self) -> None:
        self._encoder = stream.queue.RangeEncoder()

    def encode(self, symbols: NDArray[np.int32], frequencies: Frequencies) -> None:
        """Write symbols [N] under tables [N, K]; a table of a single symbol takes no bits."""
        if len(symbols) and frequencies.shape[1] > 1:
            self._encoder.encode(symbols, _FAMILY, frequencies)

    def finish(self) -> bytes:
        """The stream."""
        return _shortest_bytes(self._encoder)


class RangeDecoder:
    """Reads what a `RangeEncoder` wrote."""

    def __init__(self, data: bytes) -> None:
        self._data, self._decoder = data, stream.queue.RangeDecoder(_to_words(data))
        self._again = RangeEncoder()

    def decode(self, frequencies: Frequencies) -> NDArray[np.int32]:
        """Symbols [N] under tables [N, K]; ContainerError when the stream cannot be one of these tables."""
        symbols = np.zeros(len(frequencies), np.int32)
        if len(symbols) and frequencies.shape[1] > 1:
            try:
                symbols = self._decoder.decode(_FAMILY, frequencies)
            except AssertionError as error:  # constriction's way to say "invalid data"
                raise _damaged() from error
            self._again.encode(symbols, frequencies)
        return symbols

    def finish(self) -> None:
        """ContainerError unless these symbols, and no more, are what was written: a message has exactly one form."""
        if self._again.finish() != self._data:
            raise _damaged()


def _damaged() -> ContainerError:
    return ContainerError("the codes in the .vqc file are damaged or of another model; get the file again")


def _static_model(table: NDArray[np.int64]) -> stream.model.Categorical:
    # Exact: f / 2^16 and its running sums have 16 bits, and constriction scales them by an integer below 2^24.
    return stream.model.Categorical(table.astype(np.float64) / tables.TOTAL, perfect=False)


def _to_words(data: bytes) -> NDArray[np.uint32]:
    """A stream as constriction reads it."""
    padded = data + bytes(-len(data) % _WORD.itemsize)
    return np.frombuffer(padded, _WORD).astype(np.uint32)


def _shortest_bytes(encoder: stream.queue.RangeEncoder) -> bytes:
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
