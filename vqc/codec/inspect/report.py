"""What a file function did, in figures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.codec.inspect.explain import Explanation
from vqc.format.container import Entropy, Media, Shape

_ROWS = 256  # of an image compared at a time


@dataclass(frozen=True, kw_only=True)
class Report:
    """One file compressed or decompressed."""

    model: str  # its name
    quality: int
    entropy: Entropy  # how the codes are written
    shape: Shape
    bytes_in: int
    bytes_out: int
    vqc_bytes: int  # of these two, the one of the .vqc file
    seconds: float  # of work, reading and writing files included
    mse: float | None = None  # of the round trip, full scale being 1; for `stats=True` only
    explanation: Explanation | None = None  # where the bits go; for `explain=True` only
    heat_map: Path | None = None  # the picture of it, of an image

    @property
    def media(self) -> Media:
        """The medium that was compressed."""
        return self.shape.media

    @property
    def pixels(self) -> int | None:
        """Pixels of an image."""
        return getattr(self.shape, "pixels", None)

    @property
    def samples(self) -> int | None:
        """Samples per channel of audio."""
        return getattr(self.shape, "samples", None)

    @property
    def sample_rate(self) -> int | None:
        """Samples per second of audio."""
        return getattr(self.shape, "sample_rate", None)

    @property
    def channels(self) -> int | None:
        """Channels of audio."""
        return getattr(self.shape, "channels", None)

    @property
    def rate(self) -> float:
        """Bits of the whole `.vqc` file per pixel of an image, kilobits per second of audio."""
        return self.shape.rate(self.vqc_bytes)

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits of the whole `.vqc` file for each pixel of an image."""
        return self.rate if self.media == "image" else None

    @property
    def kbps(self) -> float | None:
        """Kilobits of the whole `.vqc` file for each second of audio."""
        return self.rate if self.media == "audio" else None

    @property
    def psnr(self) -> float | None:
        """Peak signal-to-noise ratio of the round trip in dB, full scale being 1; infinite when nothing changed."""
        if self.mse is None:
            return None
        return -10 * math.log10(self.mse) if self.mse > 0 else math.inf


def image_mse(before: NDArray[np.uint8], after: NDArray[np.uint8], seen: NDArray[np.bool_] | None = None) -> float:
    """Mean squared error of two images of one shape, levels 0..255 being 0..1; of the pixels [H, W] seen, if given."""
    total, count = 0, 0
    for row in range(0, len(before), _ROWS):
        rows = slice(row, row + _ROWS)
        difference = before[rows].astype(np.int32) - after[rows]
        difference = difference if seen is None else difference[seen[rows]]
        total, count = total + int(np.sum(difference * difference, dtype=np.int64)), count + difference.size
    return total / max(1, count) / 255**2


def audio_mse(before: Iterable[NDArray[np.float32]], after: Iterable[NDArray[np.float32]]) -> float:
    """Mean squared error of two waveforms of one length, which come in blocks [n, C] of any lengths."""
    total, count = 0.0, 0
    right, rest = iter(after), np.zeros((0, 0), np.float32)
    for left in before:
        while len(left):
            if not len(rest):
                rest = next(right)
            length = min(len(left), len(rest))
            difference = left[:length].astype(np.float64) - rest[:length]
            total, count = total + float(np.sum(difference * difference)), count + difference.size
            left, rest = left[length:], rest[length:]
    return total / max(1, count)
