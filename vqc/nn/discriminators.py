"""Critics: networks that learn to tell reconstructions from originals, and whose judgement a decoder learns from.

Hinge losses (Lim and Ye 2017, arXiv 1705.02894) and feature matching (Larsen et al. 2016, arXiv 1512.09300): a critic D
wants D(original) >= 1 and D(reconstruction) <= -1, the decoder wants D(reconstruction) high, and the critic's hidden
layers alike for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from vqc.nn.spectral import STFT


class Judgement(NamedTuple):
    """Judgement of signals by one critic."""

    scores: Tensor  # [B, 1, ...], one for each patch: above 0 for an original
    features: tuple[Tensor, ...]  # its hidden layers


class PatchDiscriminator(nn.Module):
    """Judges patches of images [B, 3, H, W] in [0, 1] (Isola et al. 2017, arXiv 1611.07004).

    With 1, 2 or 3 strided layers a score sees 16, 34 or 70 pixels a side; images need 8, 16 or 32 pixels a side.
    """

    def __init__(self, *, width: int = 32, strided_layers: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**i, 8) for i in range(strided_layers + 1)]  # doubled up to eightfold, as in the paper
        strides = [2] * strided_layers + [1]
        ins = (3, *widths)
        self.hidden = nn.ModuleList(
            weight_norm(nn.Conv2d(i, o, 4, stride=s, padding=1))
            for i, o, s in zip(ins[:-1], widths, strides, strict=True)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, image: Tensor) -> list[Judgement]:
        return [_judged(2 * image - 1, self.hidden, self.score)]  # from [0, 1] to [-1, 1]


class SpectralDiscriminator(nn.Module):
    """Judges complex spectra of waveforms [B, T] at one resolution (Défossez et al. 2022, arXiv 2210.13438)."""

    def __init__(self, window: int, *, width: int = 16) -> None:
        super().__init__()
        self.stft = STFT(window, window // 4)
        first = nn.Conv2d(2, width, (3, 9), padding=(1, 4))
        dilated = [
            nn.Conv2d(width, width, (3, 9), stride=(1, 2), dilation=(d, 1), padding=(d, 4)) for d in (1, 2, 4)
        ]  # wider and wider in time, coarser and coarser in frequency
        last = nn.Conv2d(width, width, 3, padding=1)
        self.hidden = nn.ModuleList(weight_norm(layer) for layer in (first, *dilated, last))
        self.score = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> Judgement:
        # by the energy of the window: white noise has the same power at every resolution
        spectrum = self.stft(waveform.float()) * (2 / self.stft.window.square().sum().sqrt())  # [B, N, bins]
        return _judged(torch.stack([spectrum.real, spectrum.imag], 1), self.hidden, self.score)  # [B, 2, N, bins]


class MultiResolutionDiscriminator(nn.Module):
    """Spectral discriminators of several windows (samples), each with scores of its own."""

    def __init__(self, windows: Sequence[int] = (256, 512, 1024), *, width: int = 16) -> None:
        super().__init__()
        self.resolutions = nn.ModuleList(SpectralDiscriminator(window, width=width) for window in windows)

    def forward(self, waveform: Tensor) -> list[Judgement]:
        return [resolution(waveform) for resolution in self.resolutions]


def critic_hinge(original: Sequence[Judgement], reconstruction: Sequence[Judgement]) -> Tensor:
    """mean max(0, 1 - D(original)) + mean max(0, 1 + D(reconstruction)): what a critic minimises; scalar."""
    pairs = zip(original, reconstruction, strict=True)
    return _mean([F.relu(1 - a.scores).mean() + F.relu(1 + b.scores).mean() for a, b in pairs])


def decoder_hinge(reconstruction: Sequence[Judgement]) -> Tensor:
    """-mean D(reconstruction): what a decoder minimises; scalar."""
    return _mean([-judged.scores.mean() for judged in reconstruction])


def feature_distance(original: Sequence[Judgement], reconstruction: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference of hidden layers in units of the original's mean magnitude; scalar."""
    terms = []
    for a, b in zip(original, reconstruction, strict=True):
        for wanted, found in zip(a.features, b.features, strict=True):
            wanted = wanted.detach().float()
            terms.append((found.float() - wanted).abs().mean() / wanted.abs().mean().clamp_min(1e-6))
    return _mean(terms)


def _judged(h: Tensor, hidden: nn.ModuleList, score: nn.Module) -> Judgement:
    features = []
    for layer in hidden:
        h = F.leaky_relu(layer(h), 0.2)  # the slope of both papers
        features.append(h)
    return Judgement(score(h).float(), tuple(features))


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()
