"""The image model of the VQ-VAE paper (arXiv 1711.00937, section 4.1): one codebook, one quality.

The defaults are the preset ``cifar10``: 32x32 pixels to 8x8 codes of 9 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import Tensor

from vqc.models.base import ImageModel
from vqc.models.config import limited
from vqc.models.vqvae.model import VQVAE, VQVAEConfig
from vqc.nn.residual import Dimensions


@dataclass(frozen=True, kw_only=True)
class ImageVQVAEConfig(VQVAEConfig):
    """Everything that determines the network."""

    widths: tuple[int, ...] = limited((64, 128), 1, 4096)
    strides: tuple[int, ...] = limited((2, 2), 2, 64)

    largest_step: ClassVar[int] = 256


class ImageVQVAE(VQVAE, ImageModel):
    """Images [B, 3, H, W] in [0, 1] to codes [B, 1, H/f, W/f] and back."""

    kind: ClassVar[str] = "image-vqvae"
    dimensions: ClassVar[Dimensions] = 2
    channels: ClassVar[int] = 3

    @property
    def downsampling_factor(self) -> int:
        return prod(self.config.strides)

    @property
    def halo(self) -> int:
        factor = self.downsampling_factor
        return -(-self.reach // factor) * factor

    def latents(self, signal: Tensor) -> Tensor:
        """Encoder output [B, D, H/f, W/f] of an image."""
        latents: Tensor = self.encoder(signal - 0.5)
        return latents

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Image [B, 3, H, W] from latents [B, D, H/f, W/f], quantized or not."""
        image: Tensor = self.decoder(quantized) + 0.5
        return image
