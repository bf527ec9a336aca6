"""Exponential moving average of the weights: these are validated and exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average of the parameters of a model; buffers (codebooks have their own) are taken as they are."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        named = dict(model.named_parameters())
        self.average = {name: p.detach().clone() for name, p in named.items()}
        # One call for all tensors; with a call each, small models would spend their time on it.
        self._own, self._averages = [p.detach() for p in named.values()], list(self.average.values())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the current weights, faster in the first steps, so that the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._own, 1 - decay)

    @torch.no_grad()
    def load(self, average: dict[str, Tensor]) -> None:
        """Continue from a stored average."""
        for name, tensor in self.average.items():
            tensor.copy_(average[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with averaged weights, for validation and export."""
        with torch.no_grad():
            kept = [p.clone() for p in self._own]
            torch._foreach_copy_(self._own, self._averages)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._own, kept)
