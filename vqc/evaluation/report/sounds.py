"""Recordings in a page: as sound, as waveform, as spectrogram."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.evaluation.report.markup import data_uri

COLUMNS, WAVE_HEIGHT = 400, 60
SPECTRUM = (480, 120)  # pixels of a spectrogram, width and height
WINDOW_SECONDS = 0.032
DYNAMIC_RANGE = 75.0  # dB
# From quiet to loud: of about even steps in lightness, so that it reads in grey as well.
COLOURS = np.array([[12, 10, 32], [60, 30, 110], [150, 45, 110], [225, 95, 70], [250, 175, 80], [252, 250, 200]], float)


def flac(samples: NDArray[Any], sample_rate: int) -> str:
    """float [T] as a data URI of a 16-bit FLAC file: nothing is lost that a loudspeaker would tell."""
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, np.clip(samples, -1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    return data_uri(data.getvalue(), "audio/flac")


def waveform(samples: NDArray[Any], peak: float) -> str:
    """An `<svg>` with the range of the samples in each of its columns; `peak` fills its height."""
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


def spectrogram(samples: NDArray[Any], sample_rate: int) -> str:
    """A picture as a data URI: time to the right, frequency up to half of the sample rate, brighter is louder."""
    from PIL import Image

    levels = decibels(samples, sample_rate)[::-1]
    shares = np.clip(1 + levels / DYNAMIC_RANGE, 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    pixels = np.stack([np.interp(shares, steps, COLOURS[:, c]) for c in range(3)], axis=-1)
    data = io.BytesIO()
    picture = Image.fromarray(pixels.astype(np.uint8)).resize(SPECTRUM, Image.Resampling.LANCZOS)
    picture.save(data, "WEBP", quality=80, method=4)
    return data_uri(data.getvalue(), "image/webp")


def decibels(samples: NDArray[Any], sample_rate: int) -> NDArray[np.float64]:
    """[frequency, time] in dB; 0 is a sine of full scale."""
    length = max(16, int(WINDOW_SECONDS * sample_rate))
    padded = np.pad(samples.astype(np.float64), (length // 2, length))
    hop = max(1, len(padded) // (2 * SPECTRUM[0]))
    starts = range(0, max(1, len(padded) - length), hop)
    window = np.hanning(length)
    frames = np.stack([padded[start : start + length] for start in starts]) * window
    spectrum = np.abs(np.fft.rfft(frames)).T * 2 / window.sum()
    levels: NDArray[np.float64] = 20 * np.log10(np.maximum(spectrum, 1e-6))
    return levels
