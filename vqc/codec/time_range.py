"""A part of a recording, by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.codec.progress import Progress, report_progress
from vqc.errors import OptionError
from vqc.format.shapes import AudioShape, Shape


class TimeRange(NamedTuple):
    """What is asked for, in seconds."""

    start: float = 0.0
    duration: float | None = None  # None: up to the end

    def samples_of(self, shape: Shape) -> tuple[int, AudioShape]:
        """The first sample of the part, and the part's shape; what is beyond the end is left away.

        Raises:
            OptionError: this is an image, or the part is empty.
        """
        if shape.media != "audio":
            raise OptionError("an image has no time; leave out the start and the duration")
        shape = shape.as_audio
        if not (self.start >= 0 and (self.duration is None or self.duration > 0)):  # not a number either
            raise OptionError("a part of a recording starts at 0 or later and takes some time; give other numbers")
        first = round(min(self.start, shape.seconds) * shape.sample_rate)
        left = shape.samples - first
        wanted = left if self.duration is None else round(min(self.duration, shape.seconds) * shape.sample_rate)
        if not min(wanted, left):
            raise OptionError(f"the recording ends after {shape.seconds:.2f} s; nothing of it is in the part asked for")
        return first, replace(shape, samples=min(wanted, left))


def take(
    blocks: Iterator[NDArray[np.float32]], count: int, progress: Progress | None = None
) -> Iterator[NDArray[np.float32]]:
    """The first `count` samples of blocks [n, C]; no block is asked for after them."""
    left = count
    while left:
        block = next(blocks)[:left]
        left -= len(block)
        yield block
        report_progress(progress, 1 - left / count)
