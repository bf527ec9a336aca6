"""Losses between spoken waveforms [B, T] at 16 kHz that follow how they sound.

`LogMelLoss` (of `vqc.training.losses`) compares spectra at several resolutions. `LoudnessLoss` follows the perceptual
model of PESQ (ITU-T P.862: Bark bands, Zwicker loudness, masking, added sounds weigh more), as Martín-Doñas et al. 2018
did (PMSQE). `EnvelopeCorrelationLoss` follows STOI (Taal et al. 2011). `FineSpectrumLoss` and `BandEnergyLoss` see what
those and mel bands do not: combs and levels. A model trained with the last two has seen
relatives of two metrics by which it will be measured: read PESQ and STOI together with one that was not trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vqc.nn.spectral import STFT
from vqc.training.loop.task import Losses
from vqc.training.losses import LogMelLoss, power

__all__ = ["SpeechLoss"]

SAMPLE_RATE = 16_000
WEIGHTS = {"mel": 1.0, "loudness": 0.5, "correlation": 4.0, "fine": 0.5, "bands": 1.0, "complex": 0.5}


class SpeechLoss(nn.Module):
    """The weighted sum of all that follow; the spectrum with its phases only where codes carry the waveform."""

    def __init__(self, weights: Mapping[str, float] = WEIGHTS) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.mel, self.loudness, self.correlation = LogMelLoss(), LoudnessLoss(), EnvelopeCorrelationLoss()
        self.fine, self.bands, self.complex = FineSpectrumLoss(), BandEnergyLoss(), ComplexSpectrumLoss()

    def forward(self, estimate: Tensor, target: Tensor, *, carries_waveform: bool) -> Losses:
        names = [name for name, weight in self.weights.items() if weight and (carries_waveform or name != "complex")]
        terms: dict[str, Tensor] = {name: getattr(self, name)(estimate, target) for name in names}
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})


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


class FineSpectrumLoss(nn.Module):
    """Mean absolute difference of log power, averaged over five bins and four frames, at three resolutions.

    The bins are equally wide, 8 to 31 Hz, so that a comb is seen whose teeth are as far apart as mel bands. What is
    averaged is the power of noise, which is another at each bin and frame even where two noises sound the same.
    """

    def __init__(self, windows: Sequence[int] = (512, 1024, 2048)) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(STFT(window, window // 4) for window in windows)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        total = estimate.new_zeros(())
        for stft in self.stfts:
            assert isinstance(stft, STFT)
            scale = 1 / (stft.window_length * 3 / 8)
            logs = [torch.log(_averaged(power(stft, x) * scale) + 1e-8) for x in (estimate, target)]
            total = total + 0.5 * (logs[0] - logs[1]).abs().mean()
        return total / len(self.stfts)


class BandEnergyLoss(nn.Module):
    """Mean absolute difference of the logarithms of the energy in third-octave bands: of 128 ms, and of two classes.

    The classes are frames of the target with more energy above 4 kHz than below, and the others, each taken together.
    Energies, not logarithms, are averaged over time: what the other losses make of noise that they cannot foresee is
    the median, which is too soft.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stft = STFT(1024, 256)
        self.register_buffer("bands", third_octave_matrix(513, 19, 125.0), persistent=False)
        self.bands: Tensor

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        powers = [power(self.stft, x) / 384 for x in (estimate, target)]
        found, wanted = (x @ self.bands for x in powers)
        split = powers[1].shape[-1] // 2
        high = powers[1][..., split:].sum(-1, keepdim=True) > powers[1][..., :split].sum(-1, keepdim=True)
        total = _log_ratio(_mean_over(8, found), _mean_over(8, wanted)).mean()
        for frames in (high, ~high):
            share = frames.float().mean(1)  # a crop with few frames of a class says little of it
            ratio = _log_ratio((found * frames).mean(1), (wanted * frames).mean(1))
            weight = share.clamp_max(0.1)
            total = total + (ratio * weight).sum() / (weight.sum() * ratio.shape[1]).clamp_min(1e-3)
        return 0.25 * total


def _mean_over(frames: int, energy: Tensor) -> Tensor:
    return nn.functional.avg_pool1d(energy.transpose(1, 2), frames, frames // 2)


def _log_ratio(found: Tensor, wanted: Tensor) -> Tensor:
    return torch.log((found + 1e-8) / (wanted + 1e-8)).abs()


def _averaged(power: Tensor) -> Tensor:
    """[B, frames, bins] over four frames and five bins."""
    return nn.functional.avg_pool2d(power[:, None], (4, 5), (2, 2))[:, 0]


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


def third_octave_matrix(bins: int, bands: int = 15, lowest_hz: float = 150.0) -> Tensor:
    """Third-octave bands with these centres, by default those of STOI: 0/1 matrix [bins, bands]."""
    hz = torch.arange(bins, dtype=torch.float64)[:, None] * (SAMPLE_RATE / 2 / (bins - 1))
    centre = lowest_hz * 2 ** (torch.arange(bands, dtype=torch.float64) / 3)
    return ((hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6))).float()
