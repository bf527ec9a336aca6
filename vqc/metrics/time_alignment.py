"""Delay of a restored recording behind its original.

Codecs may come with a delay. The peak of the cross-correlation finds it where the waveform is kept. Codecs that restore
another waveform which sounds alike have peaks anywhere; there the spectra have to tell, which change in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vqc.metrics.audio_metrics import Samples
from vqc.metrics.mel import mel_decibels, mel_distance

REACH_SECONDS = 0.1
_HOP_SECONDS, _BANDS = 0.002, 32  # of the mel spectra that are correlated
_PREFERENCE = 0.98  # another lag has to be better by more than chance makes it


def align(original: Samples, restored: Samples, sample_rate: int) -> tuple[Samples, Samples]:
    """The common part of two recordings [T], [T'] at the lag within ±100 ms at which their mel spectra differ least.

    Tried are the peaks of the cross-correlations of the waveforms and of their spectra, and no lag, which has an edge.
    """
    reach = min(round(REACH_SECONDS * sample_rate), len(original) // 2, len(restored) // 2)
    lags = [0, *_peaks(original, restored, sample_rate, reach)] if reach else [0]
    pairs = {lag: _overlap(original, restored, lag) for lag in lags}
    if len(pairs) == 1:
        return pairs[0]
    distances = {
        lag: mel_distance(pair[0], pair[1], sample_rate) * (1 if lag else _PREFERENCE) for lag, pair in pairs.items()
    }
    return pairs[min(distances, key=distances.__getitem__)]


def _peaks(original: Samples, restored: Samples, sample_rate: int, reach: int) -> Iterator[int]:
    """Lags of `restored`, in samples."""
    yield _peak(original[:, None], restored[:, None], reach)
    hop = max(1, round(_HOP_SECONDS * sample_rate))
    first, second = (_spectrum(samples, hop, sample_rate) for samples in (original, restored))
    yield _peak(first, second, reach // hop) * hop


def _spectrum(samples: Samples, hop: int, sample_rate: int) -> Samples:
    """Mel spectrum [frames, bands] in dB, every band without its mean."""
    window = 16 * hop
    with torch.inference_mode():
        padded = torch.nn.functional.pad(torch.from_numpy(samples)[None], (0, window))
        decibels: Samples = mel_decibels(padded, window, hop, _BANDS, sample_rate)[0].numpy()
    centred: Samples = decibels - decibels.mean(0)
    return centred


def _peak(original: Samples, restored: Samples, reach: int) -> int:
    """argmax over lags of the sum of original[t, c] · restored[t + lag, c]; 0 for silence."""
    size = 1 << (max(len(original), len(restored)) + reach).bit_length()
    spectra = [np.fft.rfft(values, size, axis=0) for values in (original, restored)]  # [size / 2 + 1, C] each
    correlation = np.fft.irfft((spectra[0].conj() * spectra[1]).sum(1), size)  # [size], by lag modulo size
    around = np.concatenate([correlation[size - reach :], correlation[: reach + 1]])  # lags -reach to reach
    return int(np.argmax(around)) - reach if around.max() > 0 else 0


def _overlap(original: Samples, restored: Samples, lag: int) -> tuple[Samples, Samples]:
    first, second = original[max(0, -lag) :], restored[max(0, lag) :]
    length = min(len(first), len(second))
    return first[:length], second[:length]
