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


def frequencies(logits: Tensor, temperature: Fraction = ONE_TEMPERATURE) -> Tensor:
    """Softmax as integers: logits [N, K] in units of 1 / 2^8 nat to frequencies float64 [N, K], not normalised.

    They are whole numbers up to 2^24, which the most likely code has: float64 adds any number of codes exactly.

    Args:
        temperature: what logits are divided by, above 0. Another one is nothing but another table of exponentials.
    """
    table = exponentials(LOGIT * temperature).to(logits.device)
    below = (logits.amax(1, keepdim=True) - logits).clamp_(max=len(table) - 1)
    index = below.view(torch.int32).copy_(below)  # in place: fresh memory costs more
    return table.index_select(0, index.flatten()).view(logits.shape)
