"""How far a restored recording lags behind its original.

Codecs may come with a delay. The peak of the cross-correlation finds it where the waveform is kept. Codecs that restore
another waveform which sounds alike have peaks anywhere, so a peak is believed only when the spectra agree better there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vqc.metrics.mel import mel_distance

Samples = NDArray[np.float32]

REACH_SECONDS = 0.1
_PREFERENCE = 0.98  # another lag has to be better by more than chance makes it


def align(original: Samples, restored: Samples, sample_rate: int) -> tuple[Samples, Samples]:
    """The common part of two recordings [T], [T'] at the lag within ±100 ms at which their mel spectra differ least.

    Tried are the peaks of the cross-correlations of the waveforms and of their envelopes, and no lag, with an edge.
    """
    reach = min(round(REACH_SECONDS * sample_rate), len(original) // 2, len(restored) // 2)
    lags = [0, *_peaks(original, restored, reach)] if reach else [0]
    pairs = {lag: _overlap(original, restored, lag) for lag in lags}
    if len(pairs) == 1:
        return pairs[0]
    distances = {
        lag: mel_distance(pair[0], pair[1], sample_rate) * (1 if lag else _PREFERENCE) for lag, pair in pairs.items()
    }
    return pairs[min(distances, key=distances.__getitem__)]


def _peaks(original: Samples, restored: Samples, reach: int) -> Iterator[int]:
    """Lags of `restored`, in samples."""
    yield _peak(original, restored, reach)
    first, second = (np.abs(samples) - np.abs(samples).mean() for samples in (original, restored))
    yield _peak(first, second, reach)


def _peak(original: Samples, restored: Samples, reach: int) -> int:
    """argmax over lags of the sum of original[t] · restored[t + lag]; 0 for silence."""
    size = 1 << (max(len(original), len(restored)) + reach).bit_length()
    spectra = [np.fft.rfft(samples, size) for samples in (original, restored)]
    correlation = np.fft.irfft(spectra[0].conj() * spectra[1], size)
    around = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    return int(np.argmax(around)) - reach if around.max() > 0 else 0


def _overlap(original: Samples, restored: Samples, lag: int) -> tuple[Samples, Samples]:
    first, second = original[max(0, -lag) :], restored[max(0, lag) :]
    length = min(len(first), len(second))
    return first[:length], second[:length]
