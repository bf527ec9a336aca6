"""The task of likelihoods: to predict the original, given what the codec restored.

::

    signal ─ codec (frozen) ─► restored ─ likelihood ─► −log2 p(signal | restored) of each value
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vqc.models.config import limited
from vqc.models.likelihood import Likelihood, to_levels
from vqc.training.loop.task import Losses, Task
from vqc.training.parts.base import PartConfig
from vqc.training.parts.frozen_codec import FrozenCodec


@dataclass(frozen=True, kw_only=True)
class LikelihoodTaskConfig(PartConfig):
    """The codec, how batches are drawn, and how much is validated."""

    batch_size: int = limited(32, 1)
    crop: int = limited(0, 0)  # pixels a side, or samples; 0: whole images of one size
    max_shift: int = limited(0, 0)  # pixels by which whole images are moved at random
    validation_items: int = limited(300, 1)  # images or recordings, at most
    pool: int = limited(0, 0)  # so many batches of each quality are restored once and used in turn; 0: always new ones


class LikelihoodTask(Task):
    """The mean of −log2 p(x | codes) over values; one quality a batch, in turn.

    Args:
        likelihood: what is trained.
        codec: stays as it is.
        batches: number → [B, 3, H, W] or [B, T], this process' rows of the batch.
        validation: batches of the same sort.
        pool: see `LikelihoodTaskConfig`; what a mixture of few parameters is fitted to need not change.
    """

    model: Likelihood

    def __init__(
        self,
        likelihood: Likelihood,
        codec: Any,
        batches: Callable[[int], Tensor],
        validation: Sequence[Tensor],
        *,
        pool: int = 0,
    ) -> None:
        self.model, self.batches, self.validation = likelihood, batches, validation
        self.networks = [] if likelihood.network is None else [likelihood.network]
        self.period = pool * likelihood.qualities  # steps after which batches come again; 0: never
        self._restored: dict[int, tuple[Tensor, Tensor]] = {}
        self.codec = FrozenCodec(codec)
        self.media = codec.media

    def batch(self, step: int) -> tuple[Tensor, int]:
        """A batch of signals and its number, which says its quality."""
        number = step % self.period if self.period else step
        return self.batches(number), number

    def loss(self, batch: tuple[Tensor, int], step: int) -> Losses:
        """Bits a value."""
        signal, number = batch
        quality = number % self.model.qualities + 1
        original, restored = self._pooled(signal, quality, number) if self.period else self._levels(signal, quality)
        bits = self.model.nats(original, restored, quality).sum() / (math.log(2) * signal.numel())
        return Losses(bits.float(), {"bits_per_dim": bits.detach()})

    def validate(self) -> Mapping[str, float]:
        """Bits a value; the score is their mean over the qualities."""
        figures = {quality: self.measure(quality) for quality in range(1, self.model.qualities + 1)}
        mean = sum(figures.values()) / len(figures)
        rows = {"score": mean, "bits_per_dim": mean}
        return rows | ({f"bits_per_dim_{q}": bits for q, bits in figures.items()} if len(figures) > 1 else {})

    @torch.inference_mode()
    def measure(self, quality: int) -> float:
        """Bits a value of the validation signals at one quality."""
        device = next(self.model.parameters()).device
        bits = 0.0
        for batch in self.validation:
            original, restored = self._levels(batch.to(device), quality)
            bits += float(self.model.nats(original, restored, quality).sum()) / math.log(2)
        return bits / sum(batch.numel() for batch in self.validation)

    def _pooled(self, signal: Tensor, quality: int, number: int) -> tuple[Tensor, Tensor]:
        """The levels of a batch that comes again."""
        if number not in self._restored:
            self._restored[number] = self._levels(signal, quality)
        return self._restored[number]

    def _levels(self, signal: Tensor, quality: int) -> tuple[Tensor, Tensor]:
        """The original and what a file would restore."""
        restored = self.codec.decode(self.codec.encode_as_files_do(signal, quality), quality)
        return to_levels(signal, self.media), to_levels(restored, self.media)
