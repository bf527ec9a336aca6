"""Range coding with a table for every symbol: what a learned prior drives.

The tables are frequencies f_k >= 1 that sum to 2^24, constriction's own precision; the bytes are those of one range
coder stream, as short as `vqc.entropy.static` makes them. Whoever decodes must ask for the symbols in the same pieces,
with the same tables.
"""

from __future__ import annotations

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from vqc.entropy.static import damaged, shortest_bytes, to_words

PRECISION = 24
TOTAL = 1 << PRECISION

Frequencies = NDArray[np.float64]  # [N, K] of whole numbers

# Exact: f / 2^24 and its running sums have 24 bits, and constriction scales them by an integer below 2^24.
_FAMILY = stream.model.Categorical(perfect=False)


def symbol_bits(symbols: NDArray[np.int32], frequencies: Frequencies) -> NDArray[np.float64]:
    """What each of symbols [N] takes under tables [N, K], in bits.

    To keep every symbol possible constriction gives each 1 / 2^24 and divides the rest as the table says: this
    matters to the rarest alone, which would else seem up to one bit dearer than they are.
    """
    rows, size = frequencies.shape
    shares: NDArray[np.float64] = 1 + frequencies[np.arange(rows), symbols] * (1 - size / TOTAL)
    return PRECISION - np.log2(shares)


class SymbolEncoder:
    """Writes symbols piece by piece."""

    def __init__(self) -> None:
        self._encoder = stream.queue.RangeEncoder()

    def encode(self, symbols: NDArray[np.int32], frequencies: Frequencies) -> None:
        """Symbols [N] under tables [N, K]; a table of a single symbol takes no bits."""
        if len(symbols) and frequencies.shape[1] > 1:
            self.encode_likely(symbols, frequencies * (1 / TOTAL))

    def encode_likely(self, symbols: NDArray[np.int32], probabilities: NDArray[np.float64]) -> None:
        """The same for frequencies that are divided by 2^24 already."""
        self._encoder.encode(symbols, _FAMILY, probabilities)

    def finish(self) -> bytes:
        """The stream."""
        return shortest_bytes(self._encoder)


class SymbolDecoder:
    """Reads what a `SymbolEncoder` wrote."""

    def __init__(self, data: bytes) -> None:
        self._data, self._decoder = data, stream.queue.RangeDecoder(to_words(data))
        self._again = SymbolEncoder()

    def decode(self, frequencies: Frequencies) -> NDArray[np.int32]:
        """Symbols [N] under tables [N, K]; ContainerError when the stream cannot be one of these tables."""
        symbols = np.zeros(len(frequencies), np.int32)
        if len(symbols) and frequencies.shape[1] > 1:
            probabilities = frequencies * (1 / TOTAL)
            try:
                symbols = self._decoder.decode(_FAMILY, probabilities)
            except AssertionError as error:  # constriction's way to say "invalid data"
                raise damaged() from error
            self._again.encode_likely(symbols, probabilities)
        return symbols

    def finish(self) -> None:
        """ContainerError unless these symbols, and no more, are what was written: a message has exactly one form."""
        if self._again.finish() != self._data:
            raise damaged()
