"""The codes of a long recording, put together with the context that decoding needs, as its chunks are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vqc.codec.segments import Segment, SegmentReader
from vqc.codec.stream_coder import Codes
from vqc.format.chunking import Chunking

_BATCH_SAMPLES = 2**19  # that the network is given at once, unless one channel has more: bounds memory


class Context(NamedTuple):
    """Codes of some channels around one chunk."""

    channels: list[int]
    codes: Codes  # [len(channels), G, n]
    first_frame: int  # position of codes[..., 0] in the file


class ContextReader:
    """Reads each chunk once, as long as contexts are asked for in order, and forgets those that no later one needs."""

    def __init__(self, reader: SegmentReader, chunking: Chunking) -> None:
        self.reader, self.chunking, self.core = reader, chunking, chunking.core
        self.channels, self.quality = reader.header.shape.items, reader.header.quality
        self._chunks: dict[int, Segment] = {}

    def of(self, index: int, *, whole: bool = True) -> Iterator[Context]:
        """Yield what to decode for a chunk: its channels that sound, those with the same context together.

        Context ends where a neighbouring chunk of the channel is silent, as it does at the ends of the file.

        Args:
            whole: with what comes after the chunk; else the next one is not read.
        """
        ranges = dict[tuple[int, int], list[int]]()  # (first frame, end) → channels with codes there
        for channel in self._chunk(index).items:
            ranges.setdefault(self._range(index, channel, whole=whole), []).append(channel)
        for (start, stop), channels in ranges.items():
            size = channel_batch((stop - start) * self.chunking.hop)
            for first in range(0, len(channels), size):
                batch = channels[first : first + size]
                yield Context(batch, np.stack([self._codes(channel, start, stop) for channel in batch]), start)
        # by the next chunk, or by this one again
        needed = ((index + 1) * self.core - self.chunking.halo) // self.core if whole else 0
        for old in [known for known in self._chunks if known < needed]:
            del self._chunks[old]

    def _range(self, index: int, channel: int, *, whole: bool) -> tuple[int, int]:
        """The frames around a chunk for which the channel has codes, within the halo."""
        span, first, last = self.chunking.span(index), index, index
        while first * self.core > span.outer_start and channel in self._chunk(first - 1).items:
            first -= 1
        while whole and (last + 1) * self.core < span.outer_stop and channel in self._chunk(last + 1).items:
            last += 1
        return max(span.outer_start, first * self.core), min(span.outer_stop, (last + 1) * self.core)

    def _codes(self, channel: int, start: int, stop: int) -> Codes:
        """Codes [G, stop - start] of a channel that sounds there."""
        parts = []
        for index in range(start // self.core, -(-stop // self.core)):
            chunk, offset = self._chunk(index), index * self.core  # offset: first frame of the chunk
            parts.append(chunk.codes[chunk.items.index(channel), :, max(0, start - offset) : stop - offset])
        return np.concatenate(parts, axis=1)

    def _chunk(self, index: int) -> Segment:
        if index not in self._chunks:
            self._chunks[index] = self.reader.read(index)
        return self._chunks[index]


def channel_batch(samples: int) -> int:
    """Return the number of channels of so many samples that the network is given at once."""
    return max(1, _BATCH_SAMPLES // samples)
