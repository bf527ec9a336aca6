"""Resampling piece by piece, so that any part of the result can be had alone, the same bit for bit.

A resampler that runs through a recording rounds differently where it began elsewhere. So each piece of the source is
resampled on its own, with so much around it that nothing else differs from what one that runs through would give:

    source   [ context ][------ piece 3 ------][ context ]
    result              [------- step --------]             what comes of the contexts is cut off

Pieces and contexts are whole numbers of source samples that are whole numbers of samples of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import numpy as np

from vqc.data.audio_files import Resampler, Samples

PIECE = 32_768  # source samples, at least, unless asked otherwise
_CONTEXT = 256  # samples of the lower rate, at least: more than the filters of soxr reach


class PiecewiseResampling:
    """Resampling from one rate to another, in Hz."""

    def __init__(self, source_rate: int, target_rate: int, piece: int = PIECE) -> None:
        self.source_rate, self.target_rate = source_rate, target_rate
        period = source_rate // gcd(source_rate, target_rate)
        self.piece = -(-piece // period) * period
        self.context = -(-_CONTEXT * max(1, source_rate // target_rate + 1) // period) * period
        self.step = self._target(self.piece)

    def piece_at(self, position: int) -> int:
        """The piece in whose result this sample lies."""
        return position // self.step

    def source_start(self, piece: int) -> int:
        """The first source sample that this piece needs."""
        return max(0, piece * self.piece - self.context)

    def results(self, blocks: Iterator[Samples], piece: int, channels: int) -> Iterator[Samples]:
        """Yield results [n, C], from that of this piece on; `blocks` [n, C] begin at its `source_start`."""
        held = np.zeros((0, channels), np.float32)  # source samples from `start` on
        start, more = self.source_start(piece), True
        while True:
            stop = (piece + 1) * self.piece + self.context
            parts, length = [held], len(held)
            while more and start + length < stop:
                block = next(blocks, None)
                more = block is not None
                parts += [] if block is None else [block]
                length += 0 if block is None else len(block)
            held = np.concatenate(parts)
            last = not more and start + length <= (piece + 1) * self.piece
            result = self._resampled(held[: stop - start], channels)
            before = self._target(piece * self.piece - start)
            yield result[before:] if last else result[before : before + self.step]
            if last:
                return
            piece += 1
            held, start = held[self.source_start(piece) - start :], self.source_start(piece)

    def _target(self, samples: int) -> int:
        return samples * self.target_rate // self.source_rate

    def _resampled(self, samples: Samples, channels: int) -> Samples:
        resampler = Resampler(self.source_rate, self.target_rate, channels)
        return np.concatenate([resampler.process(samples), resampler.finish()])
