"""Noise that stays noise and bands that keep their energy, in fricatives ("s", "sh", "f") and in vowels.

The bands of PESQ, STOI and mel distances are too broad to see a comb, and none of the three minds a wrong level. Frames
are classed by the original alone: fricatives have more energy above 4 kHz than below and no period, vowels the reverse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.metrics.audio_metrics import Samples
from vqc.nn.pitch import PITCH_HOP, periodicity
from vqc.nn.spectral import STFT

Flags = NDArray[np.bool_]
Power = NDArray[np.float64]

SAMPLE_RATE = 16_000
_WINDOW, _HOP = 640, 160  # samples: 40 and 10 ms, and bins of 25 Hz
_HZ = SAMPLE_RATE / _WINDOW  # of a bin
_LOWEST_HZ, _SPLIT_HZ = 50, 4_000  # above hum; between vowels and fricatives
_AUDIBLE = 1e-4  # of the power of the loudest frame
_APERIODIC, _PERIODIC = 0.5, 0.7  # autocorrelation at the best lag
_RUN = 6  # frames over which power is averaged before its ripple is taken
_RIPPLE_HZ = 4_500, 7_500  # where fricatives have their energy at 16 kHz
_AROUND_HZ = 500  # to either side, of the running mean
_FEWEST = 10  # frames of a class, for the energy of its bands
_FLOOR = 1e-9  # -90 dB of the power of a sine of full scale
_FIRST_BAND_HZ, _BANDS = 125, 19  # third octaves; the last is centred at 8 kHz


class Spectra(NamedTuple):
    """Spectra of 10 ms frames of one recording and what was restored of it."""

    original: Power  # [N, 321]
    restored: Power
    fricative: Flags  # [N]
    vowel: Flags

    @classmethod
    def of(cls, original: Samples, restored: Samples) -> Spectra:
        """Compute those of two aligned recordings [T] at 16 kHz."""
        length = len(original) // PITCH_HOP * PITCH_HOP
        if length < _WINDOW:
            nothing, none = np.zeros((0, _WINDOW // 2 + 1)), np.zeros(0, np.bool_)
            return cls(nothing, nothing, none, none)
        powers = [_power(samples[:length]) for samples in (original, restored)]
        return cls(powers[0], powers[1], *_classes(original[:length], powers[0]))


def ripple_error(spectra: Spectra, frames: Flags) -> float | None:
    """Return how far the `ripple` of the restored recording is from the original's, dB; None without such frames."""
    both = [ripple(power, frames) for power in (spectra.original, spectra.restored)]
    return None if both[0] is None or both[1] is None else abs(both[1] - both[0])


def ripple(power: Power, frames: Flags) -> float | None:
    """Standard deviation in dB, from 4.5 to 7.5 kHz, of a spectrum around its running mean over 1 kHz.

    The spectrum is the mean power over 60 ms of consecutive frames that are flagged; of all such stretches the mean is
    returned. White noise has 2.4 dB, as 60 ms are not enough for a smooth spectrum, and fricatives 3; a comb has more.
    """
    decibels = _decibels(np.array([power[i : i + _RUN].mean(0) for i in _stretches(frames)]))  # [S, 321]
    if not len(decibels):
        return None
    first, last, around = (round(hz / _HZ) for hz in (*_RIPPLE_HZ, _AROUND_HZ))
    windows = np.lib.stride_tricks.sliding_window_view(decibels, 2 * around + 1, axis=1)  # [S, 321 - 2a, 2a + 1]
    means = windows[:, first - around : last - around + 1].mean(-1)  # [S, last - first + 1]
    return float((decibels[:, first : last + 1] - means).std(1).mean())


def band_energy_error(spectra: Spectra, frames: Flags) -> float | None:
    """Mean over third octaves from 125 Hz to 8 kHz of how far their energy in these frames is off, dB.

    None where there are fewer than ten such frames.
    """
    if frames.sum() < _FEWEST:
        return None
    levels = [_decibels(power[frames].mean(0) @ _third_octaves()) for power in (spectra.original, spectra.restored)]
    return float(np.abs(levels[1] - levels[0]).mean())


def _power(samples: Samples) -> Power:
    """Return the power of each frame and bin [N, 321]; that of a sine of full scale is 1."""
    with torch.inference_mode():
        stft = STFT(_WINDOW, _HOP)
        spectrum = stft(torch.from_numpy(samples)[None])[0] * (2 / stft.window.sum())  # [N, 321]
        power: Power = (spectrum.real.square() + spectrum.imag.square()).double().numpy()
    return power


def _classes(original: Samples, power: Power) -> tuple[Flags, Flags]:
    """Fricatives and vowels."""
    lowest, split = round(_LOWEST_HZ / _HZ), round(_SPLIT_HZ / _HZ)
    low, high = power[:, lowest:split].sum(1), power[:, split:].sum(1)  # [N] each
    with torch.inference_mode():
        lags = periodicity(torch.from_numpy(original)[None])[0]  # [N / 2, lags], one for each 20 ms
    period = lags.numpy().max(1, initial=0.0).repeat(PITCH_HOP // _HOP)  # [N]
    audible = low + high > np.maximum(_AUDIBLE * (low + high).max(initial=0.0), _FLOOR)
    fricative = audible & (high > low) & (period < _APERIODIC)
    return fricative, audible & (low > high) & (period > _PERIODIC)


def _stretches(frames: Flags) -> list[int]:
    """Find where stretches of `_RUN` flagged frames begin that do not overlap."""
    found, i = [], 0
    while i + _RUN <= len(frames):
        whole = bool(frames[i : i + _RUN].all())
        if whole:
            found.append(i)
        i += _RUN if whole else 1
    return found


def _third_octaves() -> Power:
    """Return which bins are in which band: 0/1 [321, 19]."""
    hz = np.arange(_WINDOW // 2 + 1)[:, None] * _HZ  # [321, 1]
    centres = _FIRST_BAND_HZ * 2 ** (np.arange(_BANDS) / 3)  # [19]
    inside: Power = ((hz >= centres * 2 ** (-1 / 6)) & (hz < centres * 2 ** (1 / 6))).astype(np.float64)
    return inside


def _decibels(power: Power) -> Power:
    decibels: Power = 10 * np.log10(power + _FLOOR)
    return decibels
