"""Codes that nobody encoded: drawn from a prior, or from the order-0 tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqc.models.base import CodecModel

_TOGETHER = 250  # items restored at a time: bounds memory


def order_0_codes(model: CodecModel, quality: int, count: int, grid: Sequence[int], seed: int) -> Tensor:
    """Draw codes int64 [count, G, *grid], each by itself with the chances of its static table."""
    generator = np.random.default_rng(seed)
    items = []
    for _ in range(count):
        symbols = [
            generator.choice(len(table), size=tuple(grid), p=table / table.sum())
            for table in model.static_frequencies(quality).astype(np.float64)
        ]
        items.append(model.from_symbols(np.stack(symbols)))
    return torch.from_numpy(np.stack(items))


class Draw(NamedTuple):
    """How codes are drawn: see `vqc.models.prior.CodePrior.sample`."""

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    guidance: float = 1.0  # of what is drawn of a class


DRAW = Draw()


def prior_codes(
    model: CodecModel, quality: int, count: int, grid: Sequence[int], how: Draw, label: int | None = None
) -> Tensor:
    """Draw codes int64 [count, G, *grid] from the model's prior, of a class if one is given."""
    prior: Any = model.prior
    with prior.showing(None if label is None else torch.tensor([label])):
        drawn: Tensor = prior.sample(count, tuple(grid), quality, **how._asdict())
    return drawn


@torch.inference_mode()
def restored(model: CodecModel, codes: Tensor, quality: int) -> Tensor:
    """Restore signals [N, ...] of codes int64 [N, G, *grid]; values as the model has them."""
    decode: Any = model
    return torch.cat([decode.decode(piece, quality) for piece in torch.split(codes, _TOGETHER)])
