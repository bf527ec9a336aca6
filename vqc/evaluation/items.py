"""One decoded file to measure codecs on."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Item(NamedTuple):
    """An image or a recording."""

    name: str
    signal: NDArray[Any]  # uint8 [H, W, 3], or float32 [T] in [-1, 1]
    sample_rate: int | None  # of audio
    bytes: int  # of the file it comes from

    @property
    def units(self) -> float:
        """Pixels, or milliseconds: bits for each of them are bpp, or kbps."""
        if self.sample_rate is None:
            return float(self.signal.shape[0] * self.signal.shape[1])
        return 1_000 * len(self.signal) / self.sample_rate
