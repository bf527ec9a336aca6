"""The two networks of the `voice` codec: who speaks, from frames; and frames, from what is said and who speaks.

log-mel of a recording ─ ConvNeXt ─ mean and deviation over time ─ two layers ─► vector of the voice
entries, pitch, voice ─ ConvNeXt, each block scaled and shifted by the voice (FiLM) ─► log-mel
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vqc.nn.convnext import ConvNeXt1d

_SPEAKER_BLOCKS, _KERNEL = 2, 5
SCALE, CENTRE = 0.3, -5.0  # bring log-mel spectra to about unit variance, as those of `speech`


class SpeakerEncoder(nn.Module):
    """Vectors of voices from log-mel frames of any number, by their mean and deviation (statistics pooling)."""

    def __init__(self, *, mels: int, width: int, dims: int) -> None:
        super().__init__()
        self.input = nn.Linear(mels, width)
        self.blocks = nn.Sequential(*(ConvNeXt1d(width, kernel_size=_KERNEL) for _ in range(_SPEAKER_BLOCKS)))
        self.hidden = nn.Linear(2 * (width + mels), 2 * width)
        self.output = nn.Linear(2 * width, dims)

    def sums(self, log_mel: Tensor, weights: Tensor) -> Tensor:
        """Weighted sums over time of features and their squares: [B, N, mels] and [B, N] → [B, 2 · (width + mels)]."""
        scaled = SCALE * (log_mel - CENTRE)
        features = torch.cat([self.blocks(self.input(scaled)), scaled], -1)  # [B, N, width + mels]
        both = torch.cat([features, features.square()], -1)
        return torch.einsum("bnf,bn->bf", both, weights)

    def vector(self, means: Tensor) -> Tensor:
        """Vectors [B, dims] in [-1, 1] from such sums, divided by those of the weights."""
        mean, square = means.chunk(2, -1)
        deviation = (square - mean.square()).clamp_min(1e-5).sqrt()
        h = nn.functional.gelu(self.hidden(torch.cat([mean, deviation], -1)))
        return torch.tanh(self.output(h))

    def forward(self, log_mel: Tensor, active: Tensor) -> Tensor:
        """Vectors [B, dims] of frames [B, N, mels] at the reference level, and which of them hold speech [B, N]."""
        return self.vector(self.sums(log_mel, active) / active.sum(-1, keepdim=True).clamp_min(1))


class VoiceDecoder(nn.Module):
    """Log-mel frames at the reference level from entries of the content codebook, the pitch, and a vector."""

    def __init__(self, *, dims: int, width: int, blocks: int, mels: int, voice_dims: int) -> None:
        super().__init__()
        self.content = nn.Linear(dims, width)
        self.pitch = nn.Linear(2, width)
        self.blocks = nn.ModuleList(ConvNeXt1d(width) for _ in range(blocks))
        self.voices = nn.ModuleList(nn.Linear(voice_dims, 2 * width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.average = nn.Linear(voice_dims, mels)  # spectrum of the voice
        self.output = nn.Linear(width, mels)
        for one in self.voices:
            assert isinstance(one, nn.Linear)
            nn.init.normal_(one.weight, std=0.05)
            nn.init.zeros_(one.bias)

    def forward(self, entries: Tensor, hz: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
        """What frames differ by from the average of the voice [B, N, mels], and that average [B, 1, mels].

        Args:
            entries: what content codes stand for, [B, N, D].
            hz: pitch, 0 where there is none, [B, N / 2].
            voice: [B, voice_dims].
        """
        # voicing and log pitch; 150 Hz, between low and high voices, becomes 0
        pitch = torch.stack([hz > 0, torch.log(hz.clamp_min(60.0) / 150.0)], -1).to(entries)  # [B, N / 2, 2]
        h = self.content(entries) + self.pitch(pitch).repeat_interleave(entries.shape[1] // hz.shape[1], 1)
        for block, condition in zip(self.blocks, self.voices, strict=True):
            scale, shift = _conditions(condition, voice)
            h = block(h * (1 + scale) + shift)
        return self.output(self.norm(h)) / SCALE, self.average(voice)[:, None] / SCALE + CENTRE


def _conditions(layer: nn.Module, voice: Tensor) -> Sequence[Tensor]:
    """Scale and shift [B, 1, width] of a block."""
    found: Sequence[Tensor] = layer(voice)[:, None].chunk(2, -1)
    return found
