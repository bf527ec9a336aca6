"""Codebooks as they are shipped: entries that nothing takes are left out, so that search and prior are spared them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vqc.nn.ecvq import GroupedECVQ

Hits = Sequence[Tensor]  # of each shape [G, K]: how often each entry was taken


@torch.no_grad()
def busy_first(quantizer: GroupedECVQ, level: int, hits: Hits, groups: int | None = None) -> tuple[int, ...]:
    """Sort the entries of a dictionary by how often they were taken.

    Returns how many of each shape were taken, at most of any of the first `groups` groups (None: all); at least one.
    """
    for i, of_shape in enumerate(hits):
        order = of_shape.argsort(dim=-1, descending=True, stable=True)
        for name in ("codebook", "probability", "ema_count"):
            buffer: Tensor = getattr(quantizer, f"{name}_{i}")[level]
            index = order.view(*order.shape, *(1,) * (buffer.dim() - 2)).expand_as(buffer)
            buffer.copy_(buffer.gather(1, index))
    return tuple(_taken(hits, quantizer.count if groups is None else groups))


def _taken(hits: Hits, groups: int) -> Iterator[int]:
    for of_shape in hits:
        sent = of_shape[:groups]
        groups = max(0, groups - len(of_shape))
        yield max(1, int((sent > 0).sum(-1).max())) if len(sent) else 1


def largest(entries: Sequence[Sequence[int]]) -> list[int]:
    """Of each shape, the most entries that any quality uses."""
    return [max(of_shape) for of_shape in zip(*entries, strict=True)]


def cut_entries(state: dict[str, Tensor], prefix: str, quantizer: GroupedECVQ, sizes: Sequence[int]) -> None:
    """Leave the first `sizes` entries of each shape in the weights of a model whose quantizer has that prefix."""
    for name in quantizer.state_dict():
        state[prefix + name] = state[prefix + name][:, :, : sizes[int(name.rpartition("_")[2])]]
