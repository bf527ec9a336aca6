"""The speech model of the VQ-VAE paper with a convolutional decoder: waveform in, one codebook, one quality.

The encoder is that of the paper (arXiv 1711.00937, section 4.2: strided convolutions, 64 times shorter, K = 512);
where the paper decodes with a WaveNet, here transposed convolutions mirror the encoder.
The defaults are the preset ``librispeech``: 16 kHz speech to 250 codes of 9 bits a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

from torch import Tensor

from vqc.models.base import AudioModel
from vqc.models.image_vqvae import Reconstruction, check_strides
from vqc.nn.quantize import VectorQuantizer
from vqc.nn.residual import StridedDecoder, StridedEncoder, reach


@dataclass(frozen=True, kw_only=True)
class AudioVQVAEConfig:
    """Everything that determines the network."""

    sample_rate: int = 16_000
    widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256)  # channels after each strided convolution
    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)  # their kernels are twice as wide
    residual_layers: int = 2
    residual_width: int = 64
    codebook_size: int = 512
    codebook_dim: int = 64
    commitment_weight: float = 0.25
    codebook_update: Literal["ema", "loss"] = "ema"
    codebook_decay: float = 0.99

    def __post_init__(self) -> None:
        check_strides(self.widths, self.strides)
        if self.codebook_update not in ("ema", "loss"):
            raise ValueError(f"codebook_update is {self.codebook_update!r}, not 'ema' or 'loss'")


class AudioVQVAE(AudioModel):
    """Strided encoder, vector quantizer, mirrored decoder."""

    kind: ClassVar[str] = "audio-vqvae"

    def __init__(self, config: AudioVQVAEConfig) -> None:
        super().__init__()
        self.config = config
        residual = (config.residual_layers, config.residual_width)
        self.encoder = StridedEncoder(1, 1, config.widths, config.strides, residual, config.codebook_dim)
        self.quantizer = VectorQuantizer(
            config.codebook_size,
            config.codebook_dim,
            commitment_weight=config.commitment_weight,
            update=config.codebook_update,
            decay=config.codebook_decay,
        )
        self.decoder = StridedDecoder(1, 1, config.widths, config.strides, residual, config.codebook_dim)
        self.register_static_table()

    @property
    def sample_rate(self) -> int:
        return int(self.config.sample_rate)

    @property
    def hop_length(self) -> int:
        return prod(self.config.strides)

    @property
    def halo(self) -> int:
        return -(-reach(self.config.strides, self.config.residual_layers) // self.hop_length)

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (self.config.codebook_size,)

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        return self.quantizer.encode(self.latents(waveform)).unsqueeze(1)

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        return self.reconstruct(self.quantizer.decode(codes[:, 0]))

    def forward(self, waveform: Tensor) -> Reconstruction:
        """Waveform [B, T] in [-1, 1] through encoder, quantizer and decoder."""
        quantized = self.quantizer(self.latents(waveform))
        return Reconstruction(self.reconstruct(quantized.quantized), quantized)

    def latents(self, waveform: Tensor) -> Tensor:
        """Encoder output [B, D, T/hop]."""
        latents: Tensor = self.encoder(waveform.unsqueeze(1))
        return latents

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Waveform [B, T] from latents [B, D, T/hop], quantized or not."""
        waveform: Tensor = self.decoder(quantized).squeeze(1)
        return waveform
