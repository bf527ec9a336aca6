"""Integer layers in NumPy give the integers of the layers themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vqc.nn.few_rows import FewRowsGate, FewRowsLinear
from vqc.nn.gating import Gate
from vqc.nn.integer import LARGEST, SHIFTS, TWO_BYTES, IntegerLinear
from vqc.nn.wavenet import FewRowsWalk, WaveNet, WaveWalk


def activations(*shape: int) -> torch.Tensor:
    sizes = 10 ** torch.empty(shape).uniform_(0, 4.6)
    return (sizes * torch.randn(shape).sign()).round().clamp(-LARGEST, LARGEST)


@pytest.mark.parametrize("shift", [TWO_BYTES, *SHIFTS])
def test_a_linear_layer(shift: int) -> None:
    torch.manual_seed(shift)
    layer = IntegerLinear(300, 40, qualities=2)
    torch.nn.init.normal_(layer.bias)
    layer.quantize_()
    layer.input_shift.fill_(shift)
    x = activations(3, 300)
    x[0] = LARGEST
    for quality in (1, 2):
        assert np.array_equal(FewRowsLinear(layer, quality)(x.numpy()), layer(x, quality).numpy())


def test_a_gate() -> None:
    gate, x = Gate(), activations(50, 80)
    gate.quantize_()
    expected = gate(x)
    assert np.array_equal(FewRowsGate()(x.numpy()), expected.numpy())


@pytest.mark.parametrize("size", [2, 3])
def test_a_wavenet(size: int) -> None:
    torch.manual_seed(size)
    network = WaveNet(6, skip_width=9, kernel_size=size, dilations=(1, 4, 2), qualities=2).eval()
    network.quantize_()
    features = activations(2, 30, 6)
    few, many = (network.walk(count, (30,), 2, None, None) for count in (2, 20))
    assert isinstance(few, FewRowsWalk)
    assert isinstance(many, WaveWalk)
    before = None
    whole = network(features, 2)
    for frame in range(30):
        found = few.step(None if before is None else before)
        assert torch.equal(found, whole[:, frame])
        other = many.step(None if before is None else before.repeat(10, 1))
        assert torch.equal(other[:2], found)
        before = features[:, frame]
