"""The task of `image-maps` models: squared error in bits, and commitment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vqc.data.batches import Prefetched
from vqc.models.config import Config, limited
from vqc.models.image_maps.model import ImageMaps
from vqc.training.loop.task import Losses, Task

LOSS_UNIT = 10.0  # bits a block: brings gradients to about the norm at which `loop.gradient_clip` cuts


@dataclass(frozen=True, kw_only=True)
class MapsTaskConfig(Config):
    """Settings of batches and of the loss."""

    batch_size: int = limited(32, 1)
    crop: int = limited(0, 0)  # pixels a side; 0: whole images of one size
    max_shift: int = limited(0, 0)  # pixels by which whole images are moved at random
    commitment_weight: float = limited(0.7, 0)
    validation_items: int = limited(300, 1)
    leave_out: str = ""  # items with this in their names are not trained on, such as images that have been compressed


class MapsTask(Task):
    """Distortion in bits plus commitment, a block."""

    model: ImageMaps

    def __init__(self, model: ImageMaps, batches: Prefetched, held_out: list[Tensor], config: MapsTaskConfig) -> None:
        self.model, self.batches, self.held_out, self.config = model, batches, held_out, config
        self.networks = (model.analysis, model.synthesis)
        self.unit = 3 * model.config.block**2 * 255**2 / model.config.squared_error

    def batch(self, step: int) -> Tensor:
        batch: Tensor = self.batches(step)
        return batch

    def loss(self, batch: Tensor, step: int) -> Losses:
        result = self.model(batch)
        mse = (result.image - batch).square().mean()
        total = (mse * self.unit + self.config.commitment_weight * result.commitment) / LOSS_UNIT
        logged = {"mse": mse.detach(), "commitment": result.commitment.detach(), "bits": result.bits}
        return Losses(total, logged)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """PSNR, order-0 bits per dimension, and the score: bits a block, distortion included."""
        squares = bits = blocks = 0.0
        for images in self.held_out:
            result = self.model(images)
            count = images[:, 0].numel() / self.model.config.block**2
            squares += float((result.image.clamp(0, 1) - images).square().sum())
            bits += float(result.bits) * count
            blocks += count
        dims = blocks * 3 * self.model.config.block**2
        return {
            "mse": squares / dims,
            "psnr": -10 * math.log10(squares / dims),
            "bits_per_dim": bits / dims,
            "score": (squares / dims * self.unit * blocks + bits) / blocks,
        }
