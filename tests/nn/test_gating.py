"""The gated unit: its tables are right to the last bit, and a fixed one is the float one rounded."""

from __future__ import annotations

from decimal import Decimal, getcontext

import pytest
import torch

from vqc.nn.gating import Gate, gate_tables
from vqc.nn.integer import LARGEST, ONE


@pytest.mark.parametrize("x", [0, 1, -1, 7, 500, -1024, 3000, 9999, -9999, 16383, 16384, -16384])
def test_tables_are_rounded_to_the_nearest(x: int) -> None:
    getcontext().prec = 50
    e = (Decimal(-x) / ONE).exp()
    exact = (1 - e * e) / (1 + e * e), 1 / (1 + e)
    for table, value in zip(gate_tables(torch.device("cpu")), exact, strict=True):
        assert abs(Decimal(int(table[x + 16 * ONE])) - value * 2**12) < Decimal("0.51")  # exponentials have 24 bits


def test_tables_never_fall_and_are_symmetric() -> None:
    tanh, sigmoid = gate_tables(torch.device("cpu"))
    assert (tanh.diff() >= 0).all()
    assert (sigmoid.diff() >= 0).all()
    assert torch.equal(tanh, -tanh.flip(0))
    assert torch.equal(sigmoid + sigmoid.flip(0), torch.full_like(sigmoid, 1 << 12))


def test_a_fixed_gate_is_the_float_gate_rounded() -> None:
    x = torch.arange(-LARGEST, LARGEST + 1, dtype=torch.float32)
    x = torch.stack([x, x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]], 1)
    gate = Gate()
    smooth = gate(x / ONE)
    gate.quantize_()
    steps = gate(x)
    assert torch.equal(steps, steps.floor())
    assert float((steps / ONE - smooth).abs().max()) < 0.9 / ONE
