"""Exact layers: integers whatever computes them, near their float originals, and refused when they could be inexact."""

from __future__ import annotations

import copy
import math
from decimal import Decimal, getcontext
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vqc.nn import products
from vqc.nn.integer import (
    LARGEST,
    LOGIT,
    ONE,
    TWO_BYTES,
    IntegerEmbedding,
    IntegerLinear,
    IntegerModule,
    calibrating,
    dequantized,
    forget_calibration,
    is_calibrated,
    round_in_training,
)
from vqc.nn.integer_conv import IntegerConv
from vqc.nn.integer_softmax import exponentials, frequencies
from vqc.nn.products import LARGEST_INPUT, LARGEST_WEIGHT, MOST_TERMS

SHIFTS = (TWO_BYTES, 0, 3, 8)


def integers(*shape: int, largest: int = LARGEST) -> torch.Tensor:
    return torch.randint(-largest, largest + 1, shape).float()


def integer_linear(inputs: int, outputs: int, qualities: int = 1, shift: int = TWO_BYTES) -> IntegerLinear:
    layer = IntegerLinear(inputs, outputs, qualities=qualities)
    layer.bias.data.normal_()
    layer.input_shift.fill_(shift)
    layer.quantize_()
    return layer


def rounded(value: Fraction) -> int:
    """To the nearest, halves to the even number, as IEEE 754 does."""
    return round(value)


@pytest.mark.parametrize("shift", SHIFTS)
def test_an_integer_layer_computes_what_whole_numbers_say(shift: int) -> None:
    torch.manual_seed(0)
    layer, x = integer_linear(37, 11, qualities=2, shift=shift), integers(5, 37)
    for row, got in zip(x.tolist(), layer(x, 2).tolist(), strict=True):
        unit, limit = (2**shift, LARGEST_INPUT) if shift >= 0 else (2, 128 * LARGEST_INPUT + 63)
        given = [max(-limit, min(limit, rounded(Fraction(int(value), unit)))) for value in row]
        for o, value in enumerate(got):
            total = sum(a * b for a, b in zip(given, layer.weight[o].tolist(), strict=True))
            exact = float(total) * (float(layer.scale[o]) * unit) + int(layer.bias[1, o])
            assert value == pytest.approx(max(-LARGEST, min(LARGEST, exact)), abs=0.51)
            assert value == int(value)


@pytest.mark.parametrize("shift", SHIFTS)
def test_order_of_sums_batch_threads_and_kernel_make_no_difference(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = integer_linear(513, 64, shift=shift), integers(100, 513)
    whole = layer(x)
    order = torch.randperm(513)
    assert torch.equal(whole, torch.cat([layer(row) for row in x.split(1)]))
    layer.weight.copy_(layer.weight[:, order])
    layer.check_bounds()  # some processors hold the weight in another form
    assert torch.equal(whole, layer(x[:, order]))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        for quick in (True, False):
            monkeypatch.setattr(products, "has_quick_bytes", lambda quick=quick: quick and products.is_exact())
            assert torch.equal(whole, layer(x[:, order]))
    finally:
        torch.set_num_threads(threads)


def test_an_integer_layer_is_near_the_float_layer() -> None:
    torch.manual_seed(0)
    layer, x = IntegerLinear(64, 32), torch.randn(50, 64)
    before = layer(x)
    assert dequantized(layer, layer).keys() == layer.state_dict().keys()
    layer.quantize_()
    after = layer(torch.round(x * ONE)) / ONE
    assert float((before - after).abs().max().detach()) < 0.1  # weights of 1/5 with 7 bits


def test_a_byte_of_input_is_nearly_as_good_as_two_once_calibrated() -> None:
    torch.manual_seed(0)
    network, x = nn.Sequential(IntegerLinear(64, 64)), torch.randn(500, 64)
    wanted = network(x)
    assert not is_calibrated(network)
    with calibrating(network):
        network(x)
    assert is_calibrated(network)
    assert int(network[0].input_shift) == 5  # of values up to 4: 4 · 2^10 / 127 is 32
    layer = network[0]
    layer.quantize_()
    after = layer(torch.round(x * ONE)) / ONE
    assert float((wanted - after).square().mean().sqrt().detach()) < 0.02 * float(wanted.std().detach())


def test_calibration_can_be_forgotten() -> None:
    layer = IntegerLinear(4, 4)
    with calibrating(layer):
        layer(torch.ones(3, 4))
    forget_calibration(layer)
    assert not is_calibrated(layer)
    with calibrating(layer):
        pass  # nothing was seen, so nothing is known
    assert not is_calibrated(layer)


@pytest.mark.parametrize("layer", [IntegerLinear(18, 9), IntegerConv(2, 9)], ids=["linear", "convolution"])
def test_training_rounds_as_the_integers_do(layer: IntegerModule) -> None:
    """Up to the last rounding, of outputs, which training leaves out; and gradients pass as if nothing were rounded."""
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, 18 if isinstance(layer, IntegerLinear) else 2, requires_grad=True)
    with calibrating(layer):
        layer(x)
    round_in_training(layer)
    trained = layer(x)
    trained.sum().backward()
    slope = x.grad.clone()
    x.grad = None
    round_in_training(layer, rounds=False)
    layer(x).sum().backward()
    assert float((slope - x.grad).abs().median()) < 0.05  # not where inputs are clipped
    layer.quantize_()
    after = layer(torch.round(x.detach() * ONE)) / ONE
    # An input in the middle between two bytes may go to either: it is rounded to 1 / 2^10 first.
    assert float((trained.detach() - after).abs().median()) < 1 / ONE


def test_a_convolution_is_the_same_before_and_after() -> None:
    torch.manual_seed(0)
    for kernel, grid in (((3, 3), (5, 7)), ((5,), (11,))):
        layer, x = IntegerConv(6, 9, kernel, qualities=2), torch.randn(2, *grid, 6)
        layer.linear.bias.data.normal_()
        before = layer(x, 2)
        layer.quantize_()
        after = layer(torch.round(x * ONE), 2) / ONE
        assert before.shape == (2, *grid, 9)
        assert float((before - after).abs().max().detach()) < 0.1


def test_vectors_of_codes() -> None:
    torch.manual_seed(0)
    table, x = IntegerEmbedding(5, 3), integers(40, 3, largest=4000)
    before = table(torch.arange(5))
    by_float = (x / ONE) @ before.T
    table.quantize_()
    after = table(torch.arange(5)) / ONE
    assert torch.equal(after * ONE, (after * ONE).floor())
    assert float((before - after).abs().max().detach()) < 1.1 / ONE
    assert torch.equal(table.values(), after * ONE)
    assert torch.allclose(table.products(x, slice(0, 5)) / ONE, by_float.detach(), atol=0.02)
    table.replace(table.values()[:2])
    assert torch.equal(table(torch.arange(2)), after[:2] * ONE)


def test_parts_of_a_layer() -> None:
    layer, x = integer_linear(8, 6), integers(3, 8)
    layer.weight[:, 5:] = 0
    assert torch.equal(layer(x[:, :5], inputs=slice(5)), layer(x))
    assert torch.equal(layer(x, outputs=slice(2, 4)), layer(x)[:, 2:4])


def test_activations_are_bounded() -> None:
    layer = integer_linear(300, 2)
    layer.weight.fill_(LARGEST_WEIGHT)
    layer.scale.fill_(1000.0)
    assert layer(torch.full((1, 300), float(LARGEST))).tolist() == [[LARGEST, LARGEST]]
    assert layer.relu(torch.tensor([-5.0, 7.0, 1e9])).tolist() == [0, 7, LARGEST]


def test_sums_that_could_be_inexact_are_refused() -> None:
    layer = IntegerLinear(MOST_TERMS, 2)
    layer.weight.data.fill_(1.0)
    layer.quantize_()
    layer = IntegerLinear(MOST_TERMS + 1, 2)
    layer.quantize_()  # its actual weights stay far below
    layer = IntegerLinear(MOST_TERMS + 1, 2)
    layer.weight.data.fill_(1.0)
    with pytest.raises(OverflowError, match="2\\^24"):
        layer.quantize_()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    for module in (IntegerLinear(4, 2), IntegerEmbedding(3, 2)):
        for parameter in module.parameters():
            kept = float(parameter.data.view(-1)[1])
            parameter.data.view(-1)[1] = value
            with pytest.raises(OverflowError):
                copy.deepcopy(module).quantize_()
            parameter.data.view(-1)[1] = kept


@pytest.mark.parametrize(("layer", "name", "wrong"), [(0, "weight", 65), (0, "weight", -128), (1, "vectors", -8193)])
def test_the_check_is_of_the_integers_that_are_there(layer: int, name: str, wrong: int) -> None:
    class Network(IntegerModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([IntegerLinear(3, 3), IntegerEmbedding(2, 2)])

    network = Network()
    network.quantize_()
    network.check_bounds()
    getattr(network.layers[layer], name)[0, 0] = wrong
    with pytest.raises(OverflowError, match="beyond"):
        network.check_bounds()


@pytest.mark.parametrize(
    ("name", "value"), [("input_shift", 9), ("input_shift", -2), ("scale", 0.0), ("scale", math.nan)]
)
def test_units_that_layers_do_not_have_are_refused(name: str, value: float) -> None:
    layer = integer_linear(3, 3)
    getattr(layer, name).fill_(value)
    with pytest.raises(OverflowError, match="unit"):
        layer.check_bounds()


@pytest.mark.parametrize("steps", [LOGIT, ONE])
def test_exponentials_are_rounded_exactly(steps: int) -> None:
    getcontext().prec = 60
    table = exponentials(steps)
    for i in (0, 1, 2, 100, 709, 1024, len(table) // 2, len(table) - 2, len(table) - 1):
        value = (1 << 24) * (Decimal(-i) / steps).exp() + Decimal("0.5")
        assert int(table[i]) == int(value.to_integral_value("ROUND_FLOOR"))
    assert table[-1] == 0 < table[-2]


@pytest.mark.parametrize("temperature", ["0.001", "0.7", "1.3", "100"])
def test_a_temperature_is_another_table_of_exponentials(temperature: str) -> None:
    table, divisor = exponentials(LOGIT * Fraction(temperature)), LOGIT * Decimal(temperature)
    for i in range(0, len(table), max(1, len(table) // 7)):
        value = (1 << 24) * (Decimal(-i) / divisor).exp()
        assert int(table[i]) == int(value.to_integral_value("ROUND_HALF_UP"))
    logits = torch.tensor([[0.0, -100.0, -256.0, -300.5]])
    assert frequencies(logits, Fraction(temperature)).tolist() == [
        [float(table[min(n, len(table) - 1)]) for n in (0, 100, 256, 300)]
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 300).flatmap(
        lambda k: st.lists(st.lists(st.integers(-(2**40), 2**40), min_size=k, max_size=k), min_size=1, max_size=4)
    )
)
def test_frequencies_of_any_logits(rows: list[list[int]]) -> None:
    table = frequencies(torch.tensor(rows, dtype=torch.float32))
    assert (table.amax(1) == 1 << 24).all()
    assert (table >= 0).all()
    assert torch.equal(table, table.floor())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-2000, 2000), min_size=2, max_size=256))
def test_frequencies_are_the_softmax(row: list[int]) -> None:
    logits = torch.tensor([row], dtype=torch.float32)
    wanted, found = torch.softmax(logits.double() / LOGIT, 1), frequencies(logits)
    assert float((found / found.sum() - wanted).abs().max()) <= (len(row) + 2) / (1 << 24)


def test_all_equal_and_all_but_certain() -> None:
    assert torch.equal(frequencies(torch.zeros(1, 256)), torch.full((1, 256), float(1 << 24)).double())
    assert frequencies(torch.tensor([[0.0, 1e6, 0.0]])).tolist() == [[0, 1 << 24, 0]]
    assert frequencies(torch.zeros(3, 1)).tolist() == [[1 << 24]] * 3
