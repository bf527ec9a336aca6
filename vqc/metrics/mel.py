"""Distance of mel spectra at several resolutions."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.nn.spectral import STFT, mel_matrix

_SHAPES = ((0.002, 5), (0.004, 10), (0.008, 20), (0.016, 40), (0.032, 64), (0.064, 96), (0.128, 128))  # seconds, bands
_FLOOR = 1e-4  # -80 dB; a sine of full scale has the magnitude 1


def mel_distance(original: NDArray[np.float32], restored: NDArray[np.float32], sample_rate: int) -> float:
    """Mean absolute difference in dB of the mel spectra of two waveforms [T], the mean of seven windows.

    As in Kumar et al. 2023 (DAC, arXiv 2306.06546), but with windows in seconds, so that it does not depend on the
    rate, and with fewer bands in the longer ones, as they have few bins at 16 kHz. The hop is a quarter of a window.
    """
    longest = round(_SHAPES[-1][0] * sample_rate)
    pair = torch.from_numpy(np.stack([original, restored]))  # [2, T]
    pair = torch.nn.functional.pad(pair, (0, max(0, longest - pair.shape[1])))
    total = 0.0
    with torch.inference_mode():
        for seconds, bands in _SHAPES:
            window = max(4, round(seconds * sample_rate / 4) * 4)
            decibels = mel_decibels(pair, window, window // 4, min(bands, window // 4), sample_rate)
            total += float((decibels[0] - decibels[1]).abs().mean(dtype=torch.float64))
    return total / len(_SHAPES)


def mel_decibels(waveforms: Tensor, window: int, hop: int, bands: int, sample_rate: int) -> Tensor:
    """Mel spectra [B, frames, bands] of waveforms [B, T] in dB of full scale, at least -80; times in samples."""
    stft, mel = _parts(window, hop, bands, sample_rate)
    magnitude: Tensor = stft(waveforms).abs()  # [B, frames, bins]
    return 20 * (magnitude @ mel).clamp_min(_FLOOR).log10()


@cache
def _parts(window: int, hop: int, bands: int, sample_rate: int) -> tuple[STFT, Tensor]:
    stft = STFT(window, hop)
    return stft, mel_matrix(bands, window // 2 + 1, sample_rate) * (2 / float(stft.window.sum()))
