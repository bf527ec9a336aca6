"""Softmax in integers, which a coder may use: made of a table by integer arithmetic alone."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

from vqc.nn.integer import LOGIT

ONE_TEMPERATURE = Fraction(1)


@cache
def exponentials(steps: Fraction | int) -> Tensor:
    """Return round(2^24 · exp(−i / steps)) up to the first that is zero, float64; made by integer arithmetic alone."""
    over, under = Fraction(steps).as_integer_ratio()
    fraction, term, n = 1 << 128, 1 << 128, 0  # of e^(-1 / steps), by its series, in units of 2^-128
    while term:
        n += 1
        term = term * under // (over * n)
        fraction += -term if n % 2 else term
    values, value = [], 1 << 128
    while rounded := (value >> 103) + 1 >> 1:
        values.append(rounded)
        value = value * fraction >> 128
    return torch.tensor([*values, 0], dtype=torch.float64)


@cache
def _table(temperature: Fraction, device: torch.device) -> Tensor:
    """Return the exponentials of logits that are divided by a temperature."""
    return exponentials(LOGIT * temperature).to(device)


class Softmax:
    """Logits [N, K] in units of 1 / 2^8 nat to frequencies float64 [N, K], not normalised.

    They are whole numbers up to 2^24, which the most likely code has: float64 adds any number of codes exactly.

    Args:
        temperature: what logits are divided by, above 0. Another one is nothing but another table of exponentials.
        keep: give every result in the memory of the one before: fresh memory costs more than all that is done in it.
    """

    def __init__(self, temperature: Fraction = ONE_TEMPERATURE, *, keep: bool = False) -> None:
        self.temperature, self.keep = temperature, keep
        self._below, self._found = torch.empty(0), torch.empty(0, dtype=torch.float64)

    def __call__(self, logits: Tensor) -> Tensor:
        table, size = _table(self.temperature, logits.device), logits.numel()
        if not self.keep or self._below.numel() < size or self._below.device != logits.device:
            self._below = torch.empty(size, dtype=torch.float32, device=logits.device)
            self._found = torch.empty(size, dtype=torch.float64, device=logits.device)
        below, found = self._below[:size], self._found[:size]
        torch.sub(logits.amax(1, keepdim=True), logits, out=below.view(logits.shape))
        index = below.view(torch.int32).copy_(below.clamp_(max=len(table) - 1))  # in place
        torch.index_select(table, 0, index, out=found)
        return found.view(logits.shape)


def frequencies(logits: Tensor, temperature: Fraction = ONE_TEMPERATURE) -> Tensor:
    """Return the frequencies of logits [N, K] as a `Softmax` does."""
    return Softmax(temperature)(logits)
