"""Tasks small enough to train in a test: a linear map before a codebook, alone or against a critic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vqc.nn.quantize import VectorQuantizer
from vqc.training.loop.callbacks import Outcome, RunPlan
from vqc.training.loop.task import Losses, Task


def rows(seed: int, step: int, count: int, width: int) -> Tensor:
    """Random rows [count, width]: a function of seed and step."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1_000_003 * seed + step))


class Toy(Task):
    """A linear map into a quantizer whose entries die and are revived on the way.

    `part` gives the rows of a batch that this process sees.
    """

    def __init__(self, width: int = 4, *, part: slice = slice(None), quantizer: nn.Module | None = None) -> None:
        torch.manual_seed(0)
        quantizer = VectorQuantizer(16, width, decay=0.6) if quantizer is None else quantizer
        self.model: nn.Module = nn.Sequential(nn.Linear(width, width), quantizer)
        self.width, self.part, self.dtype = width, part, torch.float32

    def double(self) -> Toy:
        """The same in float64."""
        self.model.double()
        self.dtype = torch.float64
        return self

    def batch(self, step: int) -> Tensor:
        return rows(0, step, 12, self.width)[self.part].to(self.dtype)

    def loss(self, batch: Tensor, step: int) -> Losses:
        out = self.model(batch)
        total = (out.quantized - batch).square().mean() + out.loss
        return Losses(total, {"vq": out.loss.detach(), "used": out.fraction_used})

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        held_out = rows(1, 0, 32, self.width).to(self.dtype)
        return {"score": float((self.model(held_out).quantized - held_out).square().mean())}


class Adversarial(Toy):
    """With noise in the model, and a critic that joins in at step 4."""

    def __init__(self, width: int = 4, *, dropout: float = 0.2, **options: Any) -> None:
        super().__init__(width, **options)
        self.model = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout), VectorQuantizer(16, width, decay=0.6))
        self.critic = nn.Sequential(nn.Linear(width, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def double(self) -> Toy:
        self.critic.double()
        return super().double()

    def loss(self, batch: Tensor, step: int) -> Losses:
        out = self.model(batch)
        self.made = out.quantized.detach()
        total = (out.quantized - batch).square().mean() + out.loss
        return Losses(total - (0.1 * self.critic(out.quantized).mean() if step >= 4 else 0.0), {})

    def critic_loss(self, batch: Tensor, step: int) -> Losses:
        if step < 4:
            return Losses(torch.zeros(()), {})
        gap = self.critic(self.made).mean() - self.critic(batch).mean()
        return Losses(gap + self.critic(batch).square().mean(), {"critic_gap": gap.detach()})


class Watcher:
    """Remembers what it is told; `at` maps a step of the log to what is done then."""

    def __init__(self, at: Mapping[int, Any] | None = None) -> None:
        self.at = dict(at or {})
        self.told: list[tuple[str, Any]] = []

    def started(self, plan: RunPlan) -> None:
        self.told.append(("started", plan))

    def logged(self, row: Mapping[str, float]) -> None:
        self.told.append(("logged", dict(row)))
        self.at.get(int(row["step"]), lambda: None)()

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        self.told.append(("validated", (dict(row), best)))

    def ended(self, outcome: Outcome) -> None:
        self.told.append(("ended", outcome))
