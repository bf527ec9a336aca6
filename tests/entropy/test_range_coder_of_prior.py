"""A table for every symbol: exact, near the ideal length, and in one form only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder
from vqc.errors import ContainerError


def draw(seed: int, rows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols [N] and whole-number tables [N, K] that sum to 2^24, some of them all but certain."""
    rng = np.random.default_rng(seed)
    shares = rng.random((rows, size)) ** rng.integers(1, 40, (rows, 1))
    tables = np.floor(shares / shares.sum(1, keepdims=True) * (TOTAL - size)) + 1
    tables[:, 0] += TOTAL - tables.sum(1)
    symbols = (tables.cumsum(1) > rng.random((rows, 1)) * TOTAL).argmax(1).astype(np.int32)
    return symbols, tables


pieces = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 40), st.integers(1, 256)), max_size=5)


@settings(max_examples=80, deadline=None)
@given(pieces)
def test_pieces_come_back(pieces: list[tuple[int, int, int]]) -> None:
    drawn = [draw(*piece) for piece in pieces]
    encoder = RangeEncoder()
    for symbols, tables in drawn:
        encoder.encode(symbols, tables)
    data = encoder.finish()
    ideal = sum(float(np.sum(24 - np.log2(tables[np.arange(len(s)), s]))) for s, tables in drawn)
    assert 8 * len(data) <= ideal * 1.001 + 16
    decoder = RangeDecoder(data)
    for symbols, tables in drawn:
        assert np.array_equal(decoder.decode(tables), symbols)
    decoder.finish()


def test_golden_bytes() -> None:
    symbols, tables = draw(5, 60, 17)
    encoder = RangeEncoder()
    encoder.encode(symbols, tables)
    assert encoder.finish().hex() == GOLDEN


GOLDEN = "b239588b6fcbc2e6a6dba1ce"


def test_the_least_and_the_most_probable() -> None:
    tables = np.ones((2, 256))
    tables[:, 7] = TOTAL - 255
    encoder = RangeEncoder()
    encoder.encode(np.array([255, 7], np.int32), tables)
    assert len(encoder.finish()) <= 4


@pytest.mark.parametrize("change", [lambda d: d + b"\1", lambda d: d + b"\0", lambda d: b"\xff" * 999])
def test_what_cannot_have_been_written_is_refused(change) -> None:
    """A stream cut short can be one of other symbols; a checksum of the codes has to find that."""
    symbols, tables = draw(1, 300, 20)
    encoder = RangeEncoder()
    encoder.encode(symbols, tables)
    decoder = RangeDecoder(change(encoder.finish()))
    with pytest.raises(ContainerError):
        decoder.decode(tables)
        decoder.finish()
