"""Packed codes take exactly ceil(log2 K) bits each, and only what `pack` writes is read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.entropy.bitpack import pack, packed_length, unpack
from vqc.errors import ContainerError


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=0, max_size=8), st.integers(0, 40), st.integers(0, 2**32))
def test_codes_come_back_from_exactly_as_many_bits_as_they_need(sizes: list[int], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    symbols = np.array([rng.integers(0, size, count) for size in sizes]).reshape(len(sizes), count)
    data = pack(symbols, sizes)
    bits = sum(count * math.ceil(math.log2(size)) for size in sizes)
    assert len(data) == math.ceil(bits / 8) == packed_length(sizes, count)
    assert np.array_equal(unpack(data, sizes, count), symbols)


def test_the_layout_is_msb_first_group_after_group() -> None:
    assert pack(np.array([[1, 2], [0, 1]]), [3, 2]) == bytes([0b01_10_0_1_00])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x64\x00", bytes([0b01_10_0_1_01]), bytes([0b11_10_0_1_00])],
    ids=["too short", "too long", "padding not zero", "code 3 of a codebook of 3"],
)
def test_anything_else_is_a_container_error(data: bytes) -> None:
    with pytest.raises(ContainerError):
        unpack(data, [3, 2], 2)


def test_every_flipped_bit_is_an_error_or_other_valid_codes() -> None:
    sizes = [5, 9, 2]
    symbols = np.random.default_rng(1).integers(0, [[5], [9], [2]], (3, 11))
    data = pack(symbols, sizes)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = unpack(bytes(damaged), sizes, 11)
        except ContainerError:
            continue
        assert (decoded < np.array(sizes)[:, None]).all()
        assert not np.array_equal(decoded, symbols)
