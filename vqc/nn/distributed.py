"""Sums and rows over all processes of a training, in the order of their ranks.

Without a process group (`torch.distributed` not initialised) there is one rank and everything is the identity. With
one, all ranks must call these functions in the same order, with tensors of the same shape. Nothing here is
differentiable.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rank() -> int:
    """Return the number of this process among them."""
    return dist.get_rank() if world_size() > 1 else 0


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Return the sum of each rank's tensor: the same bits on every rank."""
    if world_size() == 1:
        return tensor
    total = tensor.detach().clone(memory_format=torch.contiguous_format)  # all_reduce works in place
    dist.all_reduce(total)
    return total


def mean_over_ranks(tensor: Tensor) -> Tensor:
    """Return the mean of each rank's tensor: the same bits on every rank."""
    return sum_over_ranks(tensor) / world_size() if world_size() > 1 else tensor


def rows_of_all_ranks(rows: Tensor) -> Tensor:
    """Gather rows [N, ...] of rank 0, then of rank 1, and so on: [world · N, ...]."""
    if world_size() == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size())]
    dist.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts)


def chosen_rows(rows: Tensor, indices: Tensor) -> Tensor:
    """Return ``rows_of_all_ranks(rows)[indices]`` without sending the others. The indices are the same on all ranks."""
    local = indices - own_rank() * len(rows)  # rows of other ranks fall outside
    own = (local >= 0) & (local < len(rows))
    chosen = rows[local.clamp(0, len(rows) - 1)]
    shape = (-1, *[1] * (rows.ndim - 1))
    return sum_over_ranks(torch.where(own.view(shape), chosen, torch.zeros_like(chosen)))  # one term is not zero
