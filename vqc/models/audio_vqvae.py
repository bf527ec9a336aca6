"""The speech model of the VQ-VAE paper with a convolutional decoder: waveform in, one codebook, one quality.

The encoder is that of the paper (arXiv 1711.00937, section 4.2: strided convolutions, 64 times shorter, K = 512);
where the paper decodes with a WaveNet, here transposed convolutions mirror the encoder.
The defaults are the preset ``librispeech``: 16 kHz speech to 250 codes of 9 bits a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import Tensor

from vqc.models.base import AudioModel
from vqc.models.vqvae import VQVAE, VQVAEConfig
from vqc.nn.residual import Dimensions


@dataclass(frozen=True, kw_only=True)
class AudioVQVAEConfig(VQVAEConfig):
    """Everything that determines the network."""

    sample_rate: int = 16_000
    widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256)
    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)
    residual_width: int = 64


class AudioVQVAE(VQVAE, AudioModel):
    """Waveforms [B, T] in [-1, 1] to codes [B, 1, T/hop] and back."""

    kind: ClassVar[str] = "audio-vqvae"
    dimensions: ClassVar[Dimensions] = 1
    channels: ClassVar[int] = 1

    config: AudioVQVAEConfig

    @property
    def sample_rate(self) -> int:
        return int(self.config.sample_rate)

    @property
    def hop_length(self) -> int:
        return prod(self.config.strides)

    @property
    def halo(self) -> int:
        return -(-self.reach // self.hop_length)

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        return super().decode(codes, quality)

    def latents(self, signal: Tensor) -> Tensor:
        """Encoder output [B, D, T/hop] of a waveform."""
        latents: Tensor = self.encoder(signal.unsqueeze(1))
        return latents

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Waveform [B, T] from latents [B, D, T/hop], quantized or not."""
        waveform: Tensor = self.decoder(quantized).squeeze(1)
        return waveform
