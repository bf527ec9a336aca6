"""Integer probability tables: the only form in which probabilities reach the coder.

A table row holds frequencies f_k >= 1 of the codes 0 .. size-1, summing to 2^16; beyond the size it holds zeros.
P(code k) = f_k / 2^16 exactly, so encoder and decoder agree on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

PRECISION = 16
TOTAL = 1 << PRECISION

_LARGEST_COUNT_SUM = 1 << 46  # so that count * TOTAL fits in int64


def frequencies_from_counts(counts: ArrayLike, sizes: int | Sequence[int] | None = None) -> NDArray[np.int64]:
    """The table nearest to `counts` with every valid code possible.

    Args:
        counts: how often each code occurred, non-negative integers [..., K]. A row without any gives equal chances.
        sizes: number of valid codes of each row (one number, or one per row); K when left out.

    Returns:
        Frequencies [..., K], each row summing to 2^16, at least 1 for a valid code, 0 beyond the size.
    """
    counts = np.asarray(counts)
    assert np.issubdtype(counts.dtype, np.integer), "counts are integers"
    # [R, K]: one row a table
    rows = counts.reshape(-1, counts.shape[-1]).astype(np.int64)
    row_sizes = np.broadcast_to(np.asarray(counts.shape[-1] if sizes is None else sizes), counts.shape[:-1]).reshape(-1)
    frequencies = np.zeros_like(rows)
    for row, size, result in zip(rows, row_sizes, frequencies, strict=True):
        result[:size] = _one_row(row[:size])
    return frequencies.reshape(counts.shape)


def ideal_bits(symbols: ArrayLike, frequencies: ArrayLike) -> float:
    """Information content in bits of symbols [G, N] under the tables [G, K]: the sum of -log2 P."""
    symbols, frequencies = np.asarray(symbols), np.asarray(frequencies)
    chosen = np.take_along_axis(frequencies, symbols, axis=1)
    return float(np.sum(PRECISION - np.log2(chosen)))


def table_sizes(frequencies: ArrayLike) -> tuple[int, ...]:
    """Number of valid codes in each row of tables [G, K], having checked that the rows are tables."""
    frequencies = np.asarray(frequencies)
    sizes = np.count_nonzero(frequencies, axis=1)
    valid = np.arange(frequencies.shape[1]) < sizes[:, None]
    assert np.array_equal(frequencies > 0, valid), "frequencies are positive up to the size and zero beyond it"
    assert (frequencies.sum(axis=1) == TOTAL).all(), "frequencies sum to 2^16"
    return tuple(sizes.tolist())


def _one_row(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Proportional shares of 2^16; codes whose share is below 1 get 1, the others share what is left."""
    assert 1 <= len(counts) <= TOTAL, "between 1 and 2^16 codes"
    assert counts.min() >= 0, "no negative counts"
    assert int(counts.sum()) <= _LARGEST_COUNT_SUM, "counts small enough for int64"
    if not counts.any():
        counts = np.ones_like(counts)
    rare = np.zeros(len(counts), dtype=bool)
    while True:  # raising some to 1 leaves less for the others, whose shares may fall below 1 in turn
        budget = TOTAL - int(rare.sum())
        total = int(counts[~rare].sum())
        newly_rare = ~rare & (counts * budget < total)
        if not newly_rare.any():
            break
        rare |= newly_rare
    frequencies = np.where(rare, 1, counts * budget // total)
    # Largest remainders; a stable sort, so that equal counts never depend on the sorting method.
    remainders = np.where(rare, -1, counts * budget % total)
    missing = TOTAL - int(frequencies.sum())
    frequencies[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return frequencies
