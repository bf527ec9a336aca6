"""The speech model of the VQ-VAE paper with a convolutional decoder: waveform in, one codebook, one quality.

The encoder is that of the paper (arXiv 1711.00937, section 4.2: strided convolutions, 64 times shorter, K = 512);
where the paper decodes with a WaveNet, here transposed convolutions mirror the encoder.
The defaults take 16 kHz speech to 250 codes of 9 bits a second.

With ``linear_path`` a linear transform of frames stands beside both networks, which begin as zero::

    waveform ─┬─ frames, DCT ─┬─ + ─► latents → codes → quantized ─┬─ inverse DCT ─┬─ + ─► waveform
              └─── encoder ───┘                                    └─── decoder ───┘

so that training begins at the quality of k-means on DCT coefficients, which from noise takes hours to reach.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

from torch import Tensor, nn

from vqc.models.base import AudioModel
from vqc.models.config import WRITTEN_WHEN_SET, limited
from vqc.models.vqvae.model import VQVAE, VQVAEConfig
from vqc.nn.frame_transform import FrameTransform
from vqc.nn.residual import Dimensions

SCALE = 10.0  # brings speech, RMS about 0.06, to latents of about unit size; with a linear path only


@dataclass(frozen=True, kw_only=True)
class AudioVQVAEConfig(VQVAEConfig):
    """Everything that determines the network."""

    sample_rate: int = limited(16_000, 1000, 1_000_000)
    widths: tuple[int, ...] = limited((32, 64, 128, 128, 256, 256), 1, 4096)
    strides: tuple[int, ...] = limited((2, 2, 2, 2, 2, 2), 2, 64)
    residual_width: int = limited(64, 1, 4096)
    linear_path: bool = field(default=False, metadata=WRITTEN_WHEN_SET)

    largest_step: ClassVar[int] = 1024


class AudioVQVAE(VQVAE, AudioModel):
    """Waveforms [B, T] in [-1, 1] to codes [B, 1, T/hop] and back."""

    kind: ClassVar[str] = "audio-vqvae"
    dimensions: ClassVar[Dimensions] = 1
    channels: ClassVar[int] = 1

    config: AudioVQVAEConfig

    def __init__(self, config: AudioVQVAEConfig) -> None:
        super().__init__(config)
        self.frames = FrameTransform(self.hop_length, config.codebook_dim) if config.linear_path else None
        if config.linear_path:
            for last in (self.encoder.project, self.decoder.up[-1]):
                for parameter in last.parameters():
                    nn.init.zeros_(parameter)

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
        latents: Tensor
        if self.frames is None:
            latents = self.encoder(signal.unsqueeze(1))
            return latents
        scaled = SCALE * signal.unsqueeze(1)  # [B, 1, T]
        latents = self.frames.analyse(scaled) + self.encoder(scaled)
        return latents

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """Waveform [B, T] from latents [B, D, T/hop], quantized or not."""
        waveform: Tensor = self.decoder(quantized)  # [B, 1, T]
        if self.frames is not None:
            waveform = (waveform + self.frames.synthesise(quantized)) / SCALE
        return waveform.squeeze(1)
