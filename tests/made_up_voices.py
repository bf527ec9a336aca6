"""Voices for tests: harmonics of a pitch, loudest about one formant, and what can be measured of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.nn.pitch import PITCH_HOP, pitch_hz, track_pitch

RATE = 16_000


def voice(hz: float, formant: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """Harmonics of a pitch, loudest about one formant, and deep ones."""
    t = np.arange(int(seconds * RATE)) / RATE
    cycles = hz * (t + 0.04 / (2 * np.pi * 5) * np.sin(2 * np.pi * 5 * t))  # vibrato of 4 %
    total = np.zeros(len(t))
    for number in range(1, int(7_000 / hz)):
        loudness = np.exp(-(((number * hz - formant) / 400) ** 2)) + 0.3 * np.exp(-number * hz / 200)
        total += loudness * np.cos(2 * np.pi * number * cycles + number**2)
    return (0.3 * total / np.abs(total).max()).astype(np.float32)


def spectrum(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Amplitudes of half a second in the middle, in bins of 2 Hz."""
    middle = samples[len(samples) // 4 : len(samples) // 4 + RATE // 2]
    return np.abs(np.fft.rfft(middle * np.hanning(len(middle))))


def pitch(samples: NDArray[np.float32]) -> float:
    """Median in Hz, of the frames with a voice."""
    whole = samples[: len(samples) // PITCH_HOP * PITCH_HOP]
    hz = pitch_hz(track_pitch(torch.from_numpy(whole)[None])[0]).numpy()
    return float(np.median(hz[hz > 0]))
