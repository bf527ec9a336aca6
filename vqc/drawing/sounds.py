"""Recordings as waveforms and spectrograms of a few pixels: levels in dB, an SVG, a WebP."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS, WAVE_HEIGHT = 400, 60
SPECTRUM = (480, 120)  # pixels of a spectrogram, width and height
WINDOW_SECONDS = 0.032
DYNAMIC_RANGE = 75.0  # dB
# From quiet to loud: of about even steps in lightness, so that it reads in grey as well.
COLOURS = np.array([[12, 10, 32], [60, 30, 110], [150, 45, 110], [225, 95, 70], [250, 175, 80], [252, 250, 200]], float)


def waveform(samples: NDArray[Any], peak: float) -> str:
    """Return an `<svg>` with the range of the samples in each of its columns; `peak` fills its height."""
    parts = np.array_split(samples, min(COLUMNS, max(1, len(samples))))
    middle, scale = WAVE_HEIGHT / 2, (WAVE_HEIGHT / 2 - 1) / peak
    lows = [middle - scale * float(part.min(initial=0)) for part in parts]
    highs = [middle - scale * float(part.max(initial=0)) for part in parts]
    above = [f"{i},{high:.1f}" for i, high in enumerate(highs)]
    below = [f"{i},{low + 0.4:.1f}" for i, low in reversed(list(enumerate(lows)))]
    return (
        f'<svg class="wave" viewBox="0 0 {len(parts)} {WAVE_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon points="{" ".join(above + below)}"/></svg>'
    )


def spectrogram(samples: NDArray[Any], sample_rate: int) -> bytes:
    """Return a WebP picture: time to the right, frequency up to half of the sample rate, brighter is louder."""
    from PIL import Image

    longer = len(samples) + int(1.5 * WINDOW_SECONDS * sample_rate)
    levels = decibels(samples, sample_rate, max(1, longer // (2 * SPECTRUM[0])))[::-1]
    shares = np.clip(1 + levels / DYNAMIC_RANGE, 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    pixels = np.stack([np.interp(shares, steps, COLOURS[:, c]) for c in range(3)], axis=-1)  # [bins, frames, 3]
    data = io.BytesIO()
    picture = Image.fromarray(pixels.astype(np.uint8)).resize(SPECTRUM, Image.Resampling.LANCZOS)
    picture.save(data, "WEBP", quality=80, method=4)
    return data.getvalue()


def decibels(samples: NDArray[Any], sample_rate: int, hop: int) -> NDArray[np.float64]:
    """Return the levels [bins, frames] of samples [T] every `hop` samples, in dB; 0 is a sine of full scale."""
    length = max(16, round(WINDOW_SECONDS * sample_rate))
    padded = np.pad(samples.astype(np.float64), (length // 2, length))
    starts = range(0, max(1, len(padded) - length), hop)
    window = np.hanning(length)
    frames = np.stack([padded[start : start + length] for start in starts]) * window
    spectrum = np.abs(np.fft.rfft(frames)).T * 2 / window.sum()
    levels: NDArray[np.float64] = 20 * np.log10(np.maximum(spectrum, 1e-6))
    return levels
