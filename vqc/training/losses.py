"""Losses of a reconstruction against its original: squared and absolute error, spectra at several resolutions, mel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqc.errors import OptionError
from vqc.nn.precision import in_float32
from vqc.nn.spectral import STFT, mel_matrix

_SPEECH_SHAPES = ((256, 32), (512, 56), (1024, 80), (2048, 96))
# Of descript-audio-codec (Kumar et al. 2023, arXiv 2306.06546).
CODEC_SHAPES = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))
WAVEFORM_LOSSES = ("stft", "mel")
QUIETEST = 0.03  # of the variance of the signals, is added to the power of each


class LogMelLoss(nn.Module):
    """Mean absolute difference of log-mel spectrograms (natural logarithm of amplitude) over several windows.

    Waveforms [B, T]; `shapes` are (samples of the window, mel bands); the hop is a quarter of a window.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]] = _SPEECH_SHAPES, sample_rate: int = 16_000) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(STFT(window, window // 4) for window, _ in shapes)
        for i, (window, bands) in enumerate(shapes):
            mel = mel_matrix(bands, window // 2 + 1, sample_rate) / (window * 3 / 8)
            self.register_buffer(f"mel_{i}", mel, persistent=False)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        total = estimate.new_zeros(())
        for i, stft in enumerate(self.stfts):
            assert isinstance(stft, STFT)
            mel = self.get_buffer(f"mel_{i}")
            logs = [torch.log(power(stft, x) @ mel + 1e-8) for x in (estimate, target)]
            total = total + 0.5 * (logs[0] - logs[1]).abs().mean()
        return total / len(self.stfts)


class MultiResolutionSTFTLoss(nn.Module):
    """Spectral convergence plus log-magnitude distance, the mean over several windows and over waveforms [B, T].

    Yamamoto, Song and Kim 2020 (Parallel WaveGAN, arXiv 1910.11480), equations 7 and 8; `shapes` are its (window, hop)
    in samples. A magnitude of 1 is that of a sine of full scale.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]] = ((240, 50), (600, 120), (1200, 240))) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(STFT(window, hop) for window, hop in shapes)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        total = estimate.new_zeros(())
        for stft in self.stfts:
            assert isinstance(stft, STFT)
            scale = (2 / stft.window.sum()) ** 2
            found, wanted = (power(stft, x) * scale + 1e-8 for x in (estimate, target))  # -80 dB: nothing is heard
            distance = (found.sqrt() - wanted.sqrt()).square().sum((1, 2)) / wanted.sum((1, 2))
            convergence = (distance + 1e-12).sqrt().mean()  # the gradient of a root at 0 is infinite
            total = total + convergence + 0.5 * (found.log() - wanted.log()).abs().mean()
        return total / len(self.stfts)


class Compared(NamedTuple):
    """A reconstruction against its original."""

    total: Tensor  # scalar: the weighted sum
    terms: dict[str, Tensor]  # unweighted scalars: "mse" always, others where their weight is not 0


class ReconstructionLoss(nn.Module):
    """Weighted sum of "mse" in units of the variance, "l1" in units of its root, "relative", and for waveforms others.

    "relative" is the squared error of each signal in units of its own power, so that quiet speech counts like loud
    speech; QUIETEST of the variance is added to that power, for silence. "stft" and "mel" compare spectra.

    OptionError: a waveform's loss without `sample_rate`, that is for images.
    """

    def __init__(self, weights: Mapping[str, float], *, variance: float, sample_rate: int | None) -> None:
        super().__init__()
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.variance = variance
        units = {"mse": variance, "l1": variance**0.5}
        self.units = {name: units.get(name, 1.0) for name in self.weights}
        for name in WAVEFORM_LOSSES:
            if name in self.weights and sample_rate is None:
                raise OptionError(
                    f"the loss {name!r} compares sounds; for images give weights to mse, l1 or adversarial"
                )
        if "stft" in self.weights:
            self.stft = MultiResolutionSTFTLoss()
        if "mel" in self.weights:
            assert sample_rate is not None
            self.mel = LogMelLoss(CODEC_SHAPES, sample_rate)

    @in_float32
    def forward(self, estimate: Tensor, target: Tensor) -> Compared:
        terms = {"mse": (estimate - target).square().mean()}
        if "l1" in self.weights:
            terms["l1"] = (estimate - target).abs().mean()
        if "relative" in self.weights:
            errors = (estimate - target).square().flatten(1).mean(1)  # [B]
            powers = target.square().flatten(1).mean(1) + QUIETEST * self.variance
            terms["relative"] = (errors / powers).mean()
        for name in WAVEFORM_LOSSES:
            if name in self.weights:
                terms[name] = getattr(self, name)(estimate, target)
        weighted = [weight / self.units[name] * terms[name] for name, weight in self.weights.items()]
        return Compared(torch.stack(weighted).sum(), terms)


def power(stft: STFT, waveform: Tensor) -> Tensor:
    """Squared magnitudes [B, frames, bins] of the spectrum of waveforms [B, T]."""
    spectrum: Tensor = stft(waveform)
    return spectrum.real.square() + spectrum.imag.square()
