"""The image model of the VQ-VAE paper (arXiv 1711.00937, section 4.1): one codebook, one quality.

The defaults are the preset ``cifar10``: 32x32 pixels to 8x8 codes of 9 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor

from vqc.models.base import ImageModel
from vqc.nn.quantize import Quantized, VectorQuantizer
from vqc.nn.residual import StridedDecoder, StridedEncoder, reach


@dataclass(frozen=True, kw_only=True)
class ImageVQVAEConfig:
    """Everything that determines the network."""

    widths: tuple[int, ...] = (64, 128)  # channels after each strided convolution
    strides: tuple[int, ...] = (2, 2)  # their kernels are twice as wide
    residual_layers: int = 2
    residual_width: int = 32
    codebook_size: int = 512
    codebook_dim: int = 64
    commitment_weight: float = 0.25
    codebook_update: Literal["ema", "loss"] = "ema"
    codebook_decay: float = 0.99

    def __post_init__(self) -> None:
        check_strides(self.widths, self.strides)
        if self.codebook_update not in ("ema", "loss"):
            raise ValueError(f"codebook_update is {self.codebook_update!r}, not 'ema' or 'loss'")


class Reconstruction(NamedTuple):
    """A training pass."""

    signal: Tensor  # the shape of the input
    latents: Quantized


class ImageVQVAE(ImageModel):
    """Strided encoder, vector quantizer, mirrored decoder."""

    kind: ClassVar[str] = "image-vqvae"

    def __init__(self, config: ImageVQVAEConfig) -> None:
        super().__init__()
        self.config = config
        residual = (config.residual_layers, config.residual_width)
        self.encoder = StridedEncoder(2, 3, config.widths, config.strides, residual, config.codebook_dim)
        self.quantizer = VectorQuantizer(
            config.codebook_size,
            config.codebook_dim,
            commitment_weight=config.commitment_weight,
            update=config.codebook_update,
            decay=config.codebook_decay,
        )
        self.decoder = StridedDecoder(2, 3, config.widths, config.strides, residual, config.codebook_dim)
        self.register_static_table()

    @property
    def downsampling_factor(self) -> int:
        return prod(self.config.strides)

    @property
    def halo(self) -> int:
        factor = self.downsampling_factor
        return -(-reach(self.config.strides, self.config.residual_layers) // factor) * factor

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (self.config.codebook_size,)

    def encode(self, image: Tensor, quality: int) -> Tensor:
        return self.quantizer.encode(self.latents(image)).unsqueeze(1)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        return self.reconstruct(self.quantizer.decode(codes[:, 0]))

    def forward(self, image: Tensor) -> Reconstruction:
        """Image [B, 3, H, W] in [0, 1] through encoder, quantizer and decoder."""
        quantized = self.quantizer(self.latents(image))
        return Reconstruction(self.reconstruct(quantized.quantized), quantized)

    def latents(self, image: Tensor) -> Tensor:
        """Encoder output [B, D, H/f, W/f]."""
        latents: Tensor = self.encoder(image - 0.5)
        return latents

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Image [B, 3, H, W] from latents [B, D, H/f, W/f], quantized or not."""
        image: Tensor = self.decoder(quantized) + 0.5
        return image


def check_strides(widths: tuple[int, ...], strides: tuple[int, ...]) -> None:
    """ValueError unless every strided convolution has a width and a stride that its kernel can be centred on."""
    if len(widths) != len(strides) or not strides:
        raise ValueError(f"there are {len(widths)} widths for {len(strides)} strides")
    if any(s < 2 or s % 2 for s in strides):
        raise ValueError(f"strides are {strides}; each must be even, so that its kernel of twice its size is centred")
