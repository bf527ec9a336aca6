"""The gated unit of PixelCNN and WaveNet, tanh(x_f) · σ(x_g) of two halves of the channels, exact when quantized."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from vqc.nn.integer import ONE, IntegerModule
from vqc.nn.integer_softmax import exponentials

_WHOLE = 1 << 24  # what `exponentials` has for e^0
REACH = 16 * ONE  # beyond it both functions are constant
UNIT = 12  # bits of fraction in the tables: products of two are below 2^24, which float32 holds


class Gate(IntegerModule):
    """[..., 2C] to [..., C]."""

    def forward(self, x: Tensor) -> Tensor:
        """Values in the first half of the channels, gates in the second; results are within ±1."""
        values, gates = x.chunk(2, -1)
        if not self.is_integer:
            return torch.tanh(values) * torch.sigmoid(gates)
        tanh, sigmoid = gate_tables(x.device)
        index = (x.clamp(-REACH, REACH) + REACH).to(torch.int64)
        values, gates = index.chunk(2, -1)
        # products are whole numbers up to 2^24 and the scale is a power of two: exact
        return (tanh[values] * sigmoid[gates]).mul_(ONE / (1 << 2 * UNIT)).round_()


@cache
def gate_tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return round(2^12 · tanh(x)) and round(2^12 · σ(x)) of x from −16 to 16 in steps of 1 / 2^10, as float32.

    Made by integer arithmetic alone, from integer exponentials: tanh(x) = (1 − e^(−2x)) / (1 + e^(−2x)) and
    σ(x) = 1 / (1 + e^(−x)) of x >= 0, and their symmetry below.
    """
    exponential = exponentials(ONE).to(torch.int64)
    x, last = torch.arange(REACH + 1), len(exponential) - 1
    once, twice = exponential[x.clamp(max=last)], exponential[(2 * x).clamp(max=last)]
    tanh = _ratio(_WHOLE - twice, _WHOLE + twice)
    sigmoid = _ratio(torch.full_like(once, _WHOLE), _WHOLE + once)
    tanh = torch.cat([-tanh[1:].flip(0), tanh])
    sigmoid = torch.cat([(1 << UNIT) - sigmoid[1:].flip(0), sigmoid])
    return tanh.to(device, torch.float32), sigmoid.to(device, torch.float32)


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotients of integers in units of 1 / 2^12, to the nearest."""
    return torch.div((numerator << UNIT + 1) + denominator, 2 * denominator, rounding_mode="floor")
