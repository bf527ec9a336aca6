"""Tables sum exactly, leave no code impossible, and are as good as integers can be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.entropy import tables
from vqc.entropy.tables import TOTAL, frequencies_from_counts, ideal_bits, table_sizes

counts_of_a_row = st.lists(st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**38)), min_size=1, max_size=200)


@settings(max_examples=300, deadline=None)
@given(counts_of_a_row, st.integers(0, 5))
def test_rows_sum_exactly_and_every_valid_code_is_possible(counts: list[int], beyond: int) -> None:
    frequencies = frequencies_from_counts(np.array([counts + [9] * beyond]), [len(counts)])
    assert frequencies.sum() == TOTAL
    assert (frequencies[0, : len(counts)] >= 1).all()
    assert not frequencies[0, len(counts) :].any()
    assert table_sizes(frequencies) == (len(counts),)


@settings(max_examples=200, deadline=None)
@given(counts_of_a_row)
def test_more_frequent_codes_never_get_less(counts: list[int]) -> None:
    frequencies = frequencies_from_counts(np.array(counts))
    order = np.argsort(counts, kind="stable")
    equal = np.diff(np.array(counts)[order]) == 0  # these may differ by one, where the sum cannot be shared out evenly
    assert (np.diff(frequencies[order]) >= np.where(equal, -1, 0)).all()


def test_no_other_integers_code_the_counts_in_fewer_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against exhaustive search with a total of 32: within 0.5 % of the best table."""
    monkeypatch.setattr(tables, "TOTAL", 32)
    for counts in ([7, 2, 1, 0], [100, 1, 1, 1], [5, 5, 5, 5], [1000, 300, 20, 1]):
        weights = np.array(counts)

        def cost(frequencies: np.ndarray, weights: np.ndarray = weights) -> float:
            return float(-(weights * np.log2(frequencies / 32)).sum())

        splits = itertools.combinations(range(1, 32), 3)
        best = min(cost(np.diff([0, *split, 32])) for split in splits)
        assert cost(frequencies_from_counts(weights)) <= best * 1.005 + 1e-9


def test_no_counts_at_all_mean_equal_chances() -> None:
    assert frequencies_from_counts(np.zeros((2, 4), np.int64), [4, 2]).tolist() == [[16384] * 4, [32768, 32768, 0, 0]]


def test_ideal_bits_of_a_fair_and_a_loaded_coin() -> None:
    frequencies = np.array([[32768, 32768], [49152, 16384]])
    symbols = np.array([[0, 1, 1, 0], [0, 0, 0, 1]])
    assert ideal_bits(symbols, frequencies) == pytest.approx(4 + 2 - 3 * np.log2(0.75))
