"""What is said: codes of 10 ms of speech that tell little of who says it. (A stand-in: those of `phones`.)"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.models.phones.model import MEAN_FRAMES, WARPS, adapt_to_codebook, subtract_mean, warp_frequencies
from vqc.nn.quantize import VectorQuantizer
from vqc.nn.spectral import STFT, mel_matrix

_WINDOW, _HOP, _FLOOR = 400, 160, 1e-6
_CONTEXT, _STEP = 7, 2


@dataclass(frozen=True, kw_only=True)
class ContentConfig(Config):
    """Everything that determines a `ContentEncoder`."""

    content_mels: int = limited(40, 2, 512)
    codebook_size: int = limited(1024, 2, 65_536)
    codebook_dim: int = limited(32, 1, 1024)


class ContentEncoder(nn.Module):
    """Codes int64 [B, T / 160] of waveforms [B, T] at 16 kHz."""

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.reach, self.step = _CONTEXT * _STEP, _STEP
        mels, size, dim = config.content_mels, config.codebook_size, config.codebook_dim
        dims = mels * (2 * _CONTEXT + 1)
        self.stft = STFT(_WINDOW, _HOP)
        self.register_buffer("mel", mel_matrix(mels, _WINDOW // 2 + 1, 16_000, lowest_hz=20), persistent=False)
        self.register_buffer("mean", torch.zeros(dims))
        self.register_buffer("projection", torch.eye(dims, dim))
        self.quantizer = VectorQuantizer(size, dim)
        self.mel: Tensor
        self.mean: Tensor
        self.projection: Tensor

    @property
    def halo(self) -> int:
        return MEAN_FRAMES + self.reach + 1

    @property
    def codebook(self) -> Tensor:
        return self.quantizer.codebook

    def encode(self, waveform: Tensor, warp: float = 1.0) -> Tensor:
        spectrum = self.stft(waveform)
        log_mel = torch.log((spectrum.real.square() + spectrum.imag.square()) @ self.mel + _FLOOR)
        return torch.stack([self._fitted(warp_frequencies(one, warp)) for one in log_mel])

    def _fitted(self, log_mel: Tensor) -> Tensor:
        found = []
        for warp in WARPS:
            frames = subtract_mean(warp_frequencies(log_mel[None], warp)).transpose(1, 2)
            padded = F.pad(frames, (self.reach, self.reach), mode="replicate")
            parts = [padded[..., i : i + frames.shape[-1]] for i in range(0, 2 * self.reach + 1, self.step)]
            seen = torch.cat(parts, 1)[0].T
            latents = adapt_to_codebook((seen - self.mean) @ self.projection, self.codebook)
            codes = self.quantizer.nearest(latents)
            found.append((float((latents - F.embedding(codes, self.codebook)).square().mean()), codes))
        return min(found, key=lambda pair: pair[0])[1]
