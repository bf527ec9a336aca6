"""Sound files for tests that do not come from our writers."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def flac(numbers: Samples, sample_rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, numbers, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def of_unknown_length(data: bytes) -> bytes:
    """As encoders write it to a pipe: no number of samples, and no sum over all of them."""
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4 + 16) + data[42:]


def noise(frames: int, channels: int = 1) -> Samples:
    numbers = np.random.default_rng(frames).integers(-3_000, 3_000, (frames, channels))
    return (numbers / 2.0**15).astype(np.float32)
