"""Exact layers: integers whatever computes them, near their float originals, and refused when they could be inexact."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vqc.nn.integer import (
    LARGEST,
    ONE,
    TOTAL,
    IntegerConv,
    IntegerEmbedding,
    IntegerLinear,
    IntegerModule,
    exponentials,
    fraction_bits,
    frequencies,
)


def integers(*shape: int, largest: int = LARGEST) -> torch.Tensor:
    return torch.randint(-largest, largest + 1, shape).double()


def fixed_linear(inputs: int, outputs: int, qualities: int = 1) -> IntegerLinear:
    layer = IntegerLinear(inputs, outputs, qualities=qualities)
    layer.bias.data.normal_()
    layer.quantize_()
    return layer


def test_a_fixed_layer_computes_what_whole_numbers_say() -> None:
    torch.manual_seed(0)
    layer, x = fixed_linear(37, 11, qualities=2), integers(5, 37)
    weight, bias = layer.weight.to(torch.int64), layer.bias[1].to(torch.int64)
    shift = int(layer.shift)
    for row, got in zip(x.to(torch.int64).tolist(), layer(x, 2).tolist(), strict=True):
        for o, value in enumerate(got):
            total = sum(a * b for a, b in zip(row, weight[o].tolist(), strict=True)) + int(bias[o])
            assert value == max(-LARGEST, min(LARGEST, (total + (1 << shift - 1)) >> shift))


def test_order_of_sums_batch_and_threads_make_no_difference() -> None:
    torch.manual_seed(0)
    layer, x = fixed_linear(513, 64), integers(100, 513)
    whole = layer(x)
    order = torch.randperm(513)
    assert torch.equal(whole, torch.cat([layer(row) for row in x.split(1)]))
    layer.weight.copy_(layer.weight[:, order])
    assert torch.equal(whole, layer(x[:, order]))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert torch.equal(whole, layer(x[:, order]))
    finally:
        torch.set_num_threads(threads)


def test_a_fixed_layer_is_near_the_float_layer() -> None:
    torch.manual_seed(0)
    layer, x = IntegerLinear(64, 32), torch.randn(50, 64)
    before = layer(x)
    layer.quantize_()
    after = layer(torch.round(x.double() * ONE)) / ONE
    assert float((before - after).abs().max().detach()) < 0.01


def test_a_convolution_is_the_same_before_and_after() -> None:
    torch.manual_seed(0)
    layer, x = IntegerConv(6, 9, qualities=2), torch.randn(2, 5, 7, 6)
    layer.linear.bias.data.normal_()
    before = layer(x, 2)
    layer.quantize_()
    after = layer(torch.round(x.double() * ONE), 2) / ONE
    assert before.shape == (2, 5, 7, 9)
    assert float((before - after).abs().max().detach()) < 0.01


def test_a_table_is_rounded() -> None:
    table = IntegerEmbedding(5, 3)
    before = table(torch.arange(5))
    table.quantize_()
    assert torch.equal(table(torch.arange(5)), torch.round(before.double() * ONE))


def test_parts_of_a_layer() -> None:
    layer, x = fixed_linear(8, 6), integers(3, 8)
    layer.weight[:, 5:] = 0
    assert torch.equal(layer(x[:, :5], inputs=slice(5)), layer(x))
    assert torch.equal(layer(x, outputs=slice(2, 4)), layer(x)[:, 2:4])


def test_activations_are_bounded() -> None:
    layer = fixed_linear(300, 2)
    layer.weight.fill_(LARGEST)
    assert layer(torch.full((1, 300), float(LARGEST), dtype=torch.float64)).tolist() == [[LARGEST, LARGEST]]
    assert layer.relu(torch.tensor([-5.0, 7.0, 1e9])).tolist() == [0, 7, LARGEST]


def test_an_overflow_is_refused() -> None:
    layer = IntegerLinear(4, 2)
    layer.weight.data[0, 0] = 40_000.0
    with pytest.raises(OverflowError, match="16 bits"):
        layer.quantize_()
    layer = IntegerLinear(4, 2)
    layer.bias.data[0, 0] = 1e9
    with pytest.raises(OverflowError, match="2\\^53"):
        layer.quantize_()
    layer = IntegerLinear(4, 2, largest=1 << 50)
    with pytest.raises(OverflowError, match="2\\^53"):
        layer.quantize_()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    for module in (IntegerLinear(4, 2), IntegerEmbedding(3, 2)):
        next(module.parameters()).data.view(-1)[1] = value
        with pytest.raises(OverflowError):
            module.quantize_()


def test_the_proof_is_of_the_integers_that_are_there() -> None:
    class Network(IntegerModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([IntegerLinear(3, 3), IntegerEmbedding(2, 2)])

    network = Network()
    network.quantize_()
    network.check_bounds()
    network.layers[0].weight[0, 0] = 0.5
    with pytest.raises(OverflowError, match="whole"):
        network.check_bounds()
    network.layers[0].weight[0, 0] = LARGEST + 1
    with pytest.raises(OverflowError, match="16 bits"):
        network.check_bounds()


@pytest.mark.parametrize(("largest", "bits"), [(0.0, 20), (1.0, 14), (0.99, 15), (32767.0, 0), (1e-4, 20)])
def test_fraction_bits(largest: float, bits: int) -> None:
    assert fraction_bits(torch.tensor([largest, -largest / 2])) == bits


def test_exponentials_are_rounded_exactly() -> None:
    getcontext().prec = 60
    table = exponentials()
    for i in (0, 1, 2, 100, 709, 1024, 9999, len(table) - 2, len(table) - 1):
        assert int(table[i]) == int(
            (TOTAL * (Decimal(-i) / ONE).exp() + Decimal("0.5")).to_integral_value("ROUND_FLOOR")
        )
    assert table[-1] == 0 < table[-2]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 300).flatmap(
        lambda k: st.lists(st.lists(st.integers(-(2**40), 2**40), min_size=k, max_size=k), min_size=1, max_size=4)
    )
)
def test_frequencies_of_any_logits(rows: list[list[int]]) -> None:
    logits = torch.tensor(rows, dtype=torch.float64)
    table = frequencies(logits)
    assert (table.sum(1) == TOTAL).all()
    assert (table >= 1).all()
    assert torch.equal(table, table.floor())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-8000, 8000), min_size=2, max_size=256))
def test_frequencies_are_the_softmax(row: list[int]) -> None:
    logits = torch.tensor([row], dtype=torch.float64)
    wanted = torch.softmax(logits / ONE, 1) * TOTAL
    assert float((frequencies(logits) - wanted).abs().max()) <= len(row) + 32


def test_all_equal_and_all_but_certain() -> None:
    assert torch.equal(frequencies(torch.zeros(1, 256).double()), torch.full((1, 256), TOTAL / 256).double())
    certain = frequencies(torch.tensor([[0.0, 1e6, 0.0]], dtype=torch.float64))
    assert certain[0, 1] > TOTAL - 40
    assert frequencies(torch.zeros(3, 1).double()).tolist() == [[TOTAL]] * 3
