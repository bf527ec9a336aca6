"""Matrix products of 8-bit integers that are the same integers on every processor.

The factors are int8: activations within ±127, weights within ±64. A product of n terms is below n · 2^13, so up to
2,064 terms of any values, and more of those that a caller has looked at, stay below 2^24: there float32 adds whole
numbers without rounding, in any order, and so do the 8-bit instructions of a processor, which sum in 32 bits.

Why ±64: processors without VNNI multiply 8-bit numbers by an instruction (`vpmaddubsw`) that adds two products in
16 bits with saturation. 255 · 64 · 2 is just below 2^15, with larger weights most results are wrong there.
"""

from __future__ import annotations

import os
from functools import cache

import torch
from torch import Tensor

LARGEST_INPUT = 127
LARGEST_WEIGHT = 64
EXACT = 1 << 24  # whole numbers up to here are float32 numbers
MOST_TERMS = EXACT // (LARGEST_INPUT * LARGEST_WEIGHT)  # of a sum that is exact whatever its factors are: 2,064
VARIABLE = "VQC_INT8"  # 1 or 0: use 8-bit products if they are right here, or never; left out: where they are quick
_FEWEST_ROWS = 17  # `torch._int_mm` takes no fewer


def integer_product(x: Tensor, weight: Tensor) -> Tensor:
    """x Wᵀ of int8 [N, I] and [O, I], int8 or `prepared`: whole numbers [N, O], int32 or float32.

    Exact as long as no sum of |x · w| reaches 2^24.
    """
    rows, inputs = x.shape
    if not rows or not weight.shape[0] or weight.dtype != torch.int8 or not _is_quick(x.device):
        return x.float() @ weight.float().T
    if rows >= _FEWEST_ROWS:
        return torch._int_mm(x, weight.T)
    more = x.new_zeros(_FEWEST_ROWS, inputs)
    more[:rows] = x
    return torch._int_mm(more, weight.T)[:rows]


def prepared(weight: Tensor) -> Tensor:
    """Return a weight int8 [O, I] as products here use it: itself, or float32."""
    return weight if _is_quick(weight.device) else weight.float()


def _is_quick(device: torch.device) -> bool:
    return device.type == "cpu" and has_quick_bytes()


@cache
def has_quick_bytes() -> bool:
    """Whether 8-bit products are quick on this processor (others multiply them one by one), and right."""
    supported = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    wanted = {"0": False, "1": True}.get(os.environ.get(VARIABLE, ""), bool(supported()))
    return wanted and is_exact()


def is_exact() -> bool:
    """A known-answer test: whether `torch._int_mm` is right for the largest factors of both signs."""
    sign = torch.tensor([1, 1, -1, -1, 1, -1, -1, 1], dtype=torch.int64).repeat(MOST_TERMS // 8)  # [I]
    turned = torch.stack([sign, -sign, sign.roll(1), torch.ones_like(sign), -torch.ones_like(sign)]).repeat(8, 1)
    x, weight = LARGEST_INPUT * turned, LARGEST_WEIGHT * turned  # [40, I]
    found = torch._int_mm(x.to(torch.int8), weight.to(torch.int8).T)
    return torch.equal(found.to(torch.int64), x @ weight.T)
