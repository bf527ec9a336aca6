"""A voice changed by signal processing alone: its pitch shifted, its spectral envelope replaced.

::

    waveform ── stretched in time (WSOLA) ── played faster ──► pitch and formants times a ratio, as long as before
             ── each STFT frame times (wanted envelope / own envelope) ──► formants where they are wanted
"""

from __future__ import annotations

import math

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.nn.spectral import STFT, mel_interpolation, mel_matrix

RATE = 16_000  # Hz
WINDOW, HOP = 640, 160  # samples: 40 ms every 10 ms
BINS = WINDOW // 2 + 1
BANDS = 40  # of the mel spectrum
CEPSTRA = 22  # kept of as many: what is finer is pitch
FLOOR = 1e-7  # power added to a band
MOST_GAIN = 3.0  # natural logarithm of the amplitude by which a bin is raised or lowered: 26 dB

_FRAME, _STEP, _REACH = 640, 320, 160  # samples: of a piece, between pieces, by which one may move to fit

Clip = NDArray[np.float32]  # [T] in [-1, 1]
Cepstra = NDArray[np.float64]  # [frames, CEPSTRA]


def shift_pitch(samples: Clip, ratio: float) -> Clip:
    """Multiply pitch and formants of [T] at 16 kHz by a ratio; as long as before."""
    if abs(ratio - 1) < 1e-3:
        return samples
    played = soxr.resample(stretch(samples, ratio), RATE * ratio, RATE)
    shifted: Clip = np.pad(played, (0, max(0, len(samples) - len(played))))[: len(samples)].astype(np.float32)
    return shifted


def stretch(samples: Clip, factor: float) -> Clip:
    """Make [T] last `factor` times as long at the same pitch.

    Waveform similarity overlap-add (Verhelst and Roelands 1993): each piece is taken from where it continues the one
    before best, up to 10 ms beside where it should be.
    """
    window = np.hanning(_FRAME + 1)[:-1]
    before = _FRAME + _REACH + math.ceil(_STEP / factor)  # silence in front
    padded = np.pad(samples.astype(np.float64), (before, 2 * _FRAME + _REACH))
    length = round(len(samples) * factor)
    pieces = length // _STEP + 2
    out = np.zeros(pieces * _STEP + _FRAME)
    weight = np.zeros_like(out)
    at = before - 2 * _STEP  # where the piece before was taken, in `padded`
    for number in range(pieces):
        wanted = min(round((number - 1) * _STEP / factor), len(samples)) + before
        near = padded[wanted - _REACH : wanted + _REACH + _FRAME]
        follows = padded[at + _STEP : at + _STEP + _FRAME]
        energy = np.convolve(near**2, np.ones(_FRAME), "valid")
        at = wanted - _REACH + int(np.argmax(np.correlate(near, follows, "valid") / np.sqrt(energy + 1e-6)))
        place = slice(number * _STEP, number * _STEP + _FRAME)
        out[place] += window * padded[at : at + _FRAME]
        weight[place] += window
    return (out / np.maximum(weight, 1e-3))[_STEP : _STEP + length].astype(np.float32)


class Envelopes:
    """Spectral envelopes of speech at 16 kHz as mel cepstra, and clips with other ones."""

    def __init__(self) -> None:
        self.stft = STFT(WINDOW, HOP)
        self.mel = mel_matrix(BANDS, BINS, RATE)
        self.unmel = mel_interpolation(BANDS, BINS, RATE).numpy().astype(np.float64)
        place = (np.arange(BANDS) + 0.5) * math.pi / BANDS
        basis = np.cos(np.outer(np.arange(CEPSTRA), place)) * math.sqrt(2 / BANDS)
        basis[0] /= math.sqrt(2)
        self.cosines = basis  # [CEPSTRA, BANDS], orthonormal rows

    def of(self, samples: Clip) -> Cepstra:
        """Cepstra of the natural logarithm of power every 10 ms, [ceil(T / 160), 22]; the first is loudness."""
        return self._cepstra(self._spectrum(samples))

    def at_bins(self, cepstra: Cepstra) -> NDArray[np.float64]:
        """Natural logarithm of the power in each bin of the STFT, [frames, 321]."""
        bins: NDArray[np.float64] = cepstra @ self.cosines @ self.unmel
        return bins

    def filtered(self, samples: Clip, log_power: NDArray[np.float64]) -> Clip:
        """A clip [T] whose power is changed by so much in each frame and bin, [ceil(T / 160), 321]."""
        gain = np.exp((0.5 * log_power).clip(-MOST_GAIN, MOST_GAIN))
        changed = self._spectrum(samples) * torch.from_numpy(gain).float()
        result: Clip = self.stft.inverse(changed[None])[0, : len(samples)].numpy()
        return result

    def with_envelope(self, samples: Clip, wanted: Cepstra) -> Clip:
        """A clip [T] with other cepstra [ceil(T / 160), 22]."""
        return self.filtered(samples, self.at_bins(wanted) - self.at_bins(self.of(samples)))

    def _spectrum(self, samples: Clip) -> Tensor:
        padded = np.pad(samples, (0, -len(samples) % HOP)).astype(np.float32)
        spectrum: Tensor = self.stft(torch.from_numpy(padded)[None])[0]  # complex [frames, bins]
        return spectrum

    def _cepstra(self, spectrum: Tensor) -> Cepstra:
        power = spectrum.real.square() + spectrum.imag.square()
        log_mel: NDArray[np.float64] = torch.log(power @ self.mel + FLOOR).numpy().astype(np.float64)
        cepstra: Cepstra = log_mel @ self.cosines.T
        return cepstra


def warped(log_power: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Envelopes [frames, bins] with everything at `factor` times its frequency; above the end stays what is there."""
    bins = log_power.shape[1]
    at = (np.arange(bins) / factor).clip(0, bins - 1)
    below = np.minimum(at.astype(np.int64), bins - 2)
    part = at - below
    moved: NDArray[np.float64] = log_power[:, below] * (1 - part) + log_power[:, below + 1] * part
    return moved
