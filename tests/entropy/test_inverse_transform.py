"""Inverse transform sampling: in proportion to frequencies, in integers, and keyed by seed, item and place."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.entropy.inverse_transform import draw, keep_likeliest, random_bits

tables = st.lists(st.one_of(st.just(0), st.integers(0, 9), st.integers(0, 1 << 24)), min_size=1, max_size=40).filter(
    any
)
bits = st.integers(0, (1 << 64) - 1)


def as_array(table: list[int]) -> np.ndarray:
    return np.array([table], np.float64)


@settings(max_examples=300, deadline=None)
@given(tables, st.one_of(bits, st.sampled_from([0, (1 << 64) - 1])))
def test_the_code_drawn_is_the_one_whose_part_of_the_sum_is_hit(table: list[int], number: int) -> None:
    code = int(draw(as_array(table), np.array([number], np.uint64))[0])
    threshold = sum(table) * (number >> 16) >> 48  # in Python's integers of any size
    assert sum(table[:code]) <= threshold < sum(table[: code + 1])
    assert table[code] > 0


def test_codes_come_as_often_as_their_frequencies_say() -> None:
    table = np.array([1, 0, 2, 5, 8], np.float64)
    counts = np.bincount(draw(np.tile(table, (64_000, 1)), random_bits(7, 0, 64_000)), minlength=5)
    assert counts[1] == 0
    assert counts / 4000 == pytest.approx(table, abs=0.1)


def test_bits_are_those_that_the_generator_is_documented_to_give() -> None:
    """Of Philox4x64-10 (Salmon et al. 2011) with this key and the counters 1, 2, …: four numbers each."""
    expected = [number for counter in range(1, 4) for number in philox([counter, 0, 0, 0], [5, 3])]
    assert random_bits(5, 3, 10).tolist() == expected[:10]


def philox(counter: list[int], key: list[int]) -> list[int]:
    mask = (1 << 64) - 1
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [right >> 64 ^ counter[1] ^ key[0], right & mask, left >> 64 ^ counter[3] ^ key[1], left & mask]
        key = [(key[0] + 0x9E3779B97F4A7C15) & mask, (key[1] + 0xBB67AE8584CAA73B) & mask]
    return counter


def test_every_seed_and_item_has_bits_of_its_own() -> None:
    firsts = [random_bits(seed, item, 4).tobytes() for seed in (0, 1, 2, (1 << 64) - 1) for item in (0, 1, 2)]
    assert len(set(firsts)) == len(firsts)


@settings(max_examples=300, deadline=None)
@given(tables, st.integers(1, 1000))
def test_what_is_kept_are_the_fewest_codes_of_a_share(table: list[int], thousandths: int) -> None:
    share = Fraction(thousandths, 1000)
    kept = keep_likeliest(as_array(table), share)[0].astype(int).tolist()
    chosen = [code for code, frequency in enumerate(kept) if frequency]
    assert all(kept[code] == table[code] for code in chosen)
    assert sum(kept) >= share * sum(table)
    least = min(chosen, key=lambda code: (table[code], -code))
    assert thousandths == 1000 or sum(kept) - table[least] < share * sum(table)  # one fewer would not do
    assert all(table[code] <= table[least] for code in range(len(table)) if code not in chosen)
    assert all(code > least for code in range(len(table)) if code not in chosen and table[code] == table[least] > 0)
