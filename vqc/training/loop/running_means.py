"""Means of the figures of training steps, between one row of the log and the next."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vqc.nn.distributed import mean_over_ranks


class RunningMeans:
    """Each figure's mean over the batches that had it. Adding does not wait for a GPU; only reading does."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, figures: Mapping[str, float | Tensor]) -> None:
        """Add scalars of one batch or step."""
        for name, value in figures.items():
            number = torch.as_tensor(value, dtype=torch.float32, device=self.device).detach()
            self._sums[name] = self._sums[name] + number if name in self._sums else number.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Return the means, over all ranks too, in one transfer, and start new ones."""
        sums, counts = self._of_all_ranks(), self._counts
        self._sums, self._counts = {}, {}
        if not counts:
            return {}
        numbers = torch.stack([sums[name] / count for name, count in counts.items()]).tolist()
        return dict(zip(counts, numbers, strict=True))

    def tensors(self) -> dict[str, Tensor]:
        """Sums and counts [2] by name, for a checkpoint; to be called on all ranks."""
        sums = self._of_all_ranks()
        return {name: torch.stack([sums[name], sums[name].new_tensor(n)]) for name, n in self._counts.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from a checkpoint."""
        self._sums = {name: pair[0].to(self.device) for name, pair in tensors.items()}
        self._counts = {name: int(pair[1]) for name, pair in tensors.items()}

    def _of_all_ranks(self) -> dict[str, Tensor]:
        """Sums, each the mean of those of all ranks; figures have the same names there."""
        if not self._sums:
            return {}
        return dict(zip(self._sums, mean_over_ranks(torch.stack(list(self._sums.values()))), strict=True))
