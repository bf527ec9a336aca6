"""What makes two spoken waveforms sound alike, as differentiable losses on [B, T] at 16 kHz.

`LogMelLoss` (of `vqc.training.losses`) compares spectra at several resolutions. `LoudnessLoss` follows the perceptual
model of PESQ (ITU-T P.862: Bark bands, Zwicker loudness, masking, added sounds weigh more), as Martín-Doñas et al. 2018
did (PMSQE). `EnvelopeCorrelationLoss` follows STOI (Taal et al. 2011). A model trained with the last two has seen
relatives of two metrics by which it will be measured: read PESQ and STOI together with one that was not trained on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vqc.nn.spectral import STFT
from vqc.training.losses import LogMelLoss, power

__all__ = ["ComplexSpectrumLoss", "EnvelopeCorrelationLoss", "LogMelLoss", "LoudnessLoss"]

SAMPLE_RATE = 16_000


class LoudnessLoss(nn.Module):
    """Disturbance of the loudness in Bark bands, what was added weighing more than what is missing."""

    def __init__(self, bands: int = 42) -> None:
        super().__init__()
        self.stft = STFT(512, 256)
        self.register_buffer("bark", bark_matrix(bands, 257), persistent=False)
        self.bark: Tensor

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        level = target.square().mean(1)[:, None, None].clamp_min(1e-7) * 192  # power of the speech in an average bin
        wanted = power(self.stft, target) @ self.bark / level
        found = power(self.stft, estimate) @ self.bark / level
        silent = 3e-5  # of the average: about the threshold of hearing at usual levels
        loudness = [((1 + p / silent) ** 0.23 - 1) for p in (wanted, found)]
        difference = (loudness[1] - loudness[0]).abs() - 0.25 * torch.minimum(loudness[0], loudness[1])
        disturbance = torch.relu(difference)
        with torch.no_grad():
            added = ((found + 1e-3) / (wanted + 1e-3)) ** 1.2
            weight = 1 + 0.3 * torch.where(added < 3, torch.zeros_like(added), added.clamp_max(12))
        frame = (disturbance * weight).square().mean(-1).add(1e-6).sqrt()
        importance = (wanted.mean(-1) + 1e-2) ** 0.04
        return (frame / importance).square().mean(1).add(1e-6).sqrt().mean() * 0.5


class EnvelopeCorrelationLoss(nn.Module):
    """One minus the mean correlation of the envelopes in 15 third-octave bands over 384 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.stft = STFT(512, 192)  # 12 ms
        self.frames = 32
        self.register_buffer("bands", third_octave_matrix(257), persistent=False)
        self.bands: Tensor

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        wanted, found = ((power(self.stft, x) @ self.bands + 1e-7).sqrt() for x in (target, estimate))
        loud = wanted.square().sum(-1)
        active = (loud > loud.amax(1, keepdim=True) * 1e-4).unfold(1, self.frames, 8).float().mean(-1) > 0.5
        a, b = (x.unfold(1, self.frames, 8) for x in (wanted, found))  # [B, segments, bands, frames]
        a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
        energy = (a.square().sum(-1) * b.square().sum(-1)).clamp_min(1e-14).sqrt()
        correlation = ((a * b).sum(-1) / energy).mean(-1)
        return 1 - (correlation * active).sum() / active.sum().clamp_min(1)


class ComplexSpectrumLoss(nn.Module):
    """Distance of spectra with phases, magnitudes compressed by a square root; for codes that carry the waveform."""

    def __init__(self) -> None:
        super().__init__()
        self.stft = STFT(640, 160)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        a, b = self.stft(estimate), self.stft(target)
        distance = _compressed(a) - _compressed(b)
        return distance.square().sum() / _compressed(b).square().sum().clamp_min(1e-6)


def _compressed(spectrum: Tensor) -> Tensor:
    parts = torch.stack([spectrum.real, spectrum.imag])
    return parts * (parts.square().sum(0) + 1e-6) ** -0.25


def bark_matrix(bands: int, bins: int) -> Tensor:
    """Rectangular bands [bins, bands], equally wide in Bark (Traunmüller 1990), at least one bin each; sums."""
    hz = torch.arange(bins, dtype=torch.float64) * (SAMPLE_RATE / 2 / (bins - 1))
    bark = 26.81 * hz / (1960 + hz) - 0.53
    width = (bark[-1] - bark[1]) / bands
    position = ((bark - bark[1]) / width).clamp(0, bands - 1e-9)
    matrix = (position[:, None] - torch.arange(bands) - 0.5).abs() <= 0.5
    narrow = ~matrix.any(0)
    nearest = (position[:, None] - torch.arange(bands) - 0.5).abs().argmin(0)
    matrix[nearest[narrow], narrow.nonzero()[:, 0]] = True
    matrix[0] = False
    return matrix.float() / matrix.sum(0).clamp_min(1)


def third_octave_matrix(bins: int) -> Tensor:
    """The 15 third-octave bands of STOI from 150 Hz: 0/1 matrix [bins, 15]."""
    hz = torch.arange(bins, dtype=torch.float64)[:, None] * (SAMPLE_RATE / 2 / (bins - 1))
    centre = 150 * 2 ** (torch.arange(15, dtype=torch.float64) / 3)
    return ((hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6))).float()
