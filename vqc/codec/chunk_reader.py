"""The codes of a long file, read chunk by chunk and put together with the context that decoding needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vqc.codec.stream_coder import Codes, StreamCoder
from vqc.errors import ContainerError
from vqc.format.chunking import Chunking
from vqc.format.container import AudioShape, Container, split_streams

_BATCH_SAMPLES = 2**19  # that the network is given at once, unless one channel has more: bounds memory


class Context(NamedTuple):
    """Codes of some channels around one chunk."""

    channels: list[int]
    codes: Codes  # [len(channels), G, n]
    first_frame: int  # position of codes[..., 0] in the file


class _Chunk(NamedTuple):
    rows: dict[int, int]  # channel → its place in `codes`; silent channels have none
    codes: Codes  # [A, G, n]


class ChunkStream(NamedTuple):
    """The stream of one chunk, cut in two."""

    silence: bytes  # what `silence_bits` made
    channels: list[int]  # those with codes
    codes: bytes


class ChunkReader:
    """Reads the streams of a container, each once, as long as chunks are asked for in order."""

    def __init__(self, container: Container, coder: StreamCoder, chunking: Chunking) -> None:
        shape = container.header.shape
        assert isinstance(shape, AudioShape), "chunks are of audio"
        self.coder, self.chunking, self.channels, self.core = coder, chunking, shape.channels, chunking.core
        self.tells_silence = shape.tells_silence
        self.entropy = container.header.entropy
        self.streams = split_streams(container.body, len(chunking))
        self._chunks: dict[int, _Chunk] = {}

    def check(self) -> None:
        """Reads every stream; ContainerError if one is not as it should be."""
        for index in range(len(self.chunking)):
            self._read(index)

    def stream(self, index: int) -> ChunkStream:
        """The stream of a chunk; ContainerError when it does not say which channels it is of."""
        stream = self.streams[index]
        if not self.tells_silence:
            return ChunkStream(b"", [0], stream)
        length = -(-self.channels // 8)
        bits = np.unpackbits(np.frombuffer(stream[:length], np.uint8), bitorder="little")
        if len(stream) < length or bits[self.channels :].any():
            raise ContainerError("the .vqc file is damaged: its silent channels cannot be right; get it again")
        return ChunkStream(stream[:length], np.flatnonzero(bits).tolist(), stream[length:])

    def contexts(self, index: int) -> Iterator[Context]:
        """What to decode for a chunk: its channels that sound, those with the same context together.

        Context ends where a neighbouring chunk of the channel is silent, as it does at the ends of the file.
        """
        ranges = dict[tuple[int, int], list[int]]()
        for channel in self._chunk(index).rows:
            ranges.setdefault(self._range(index, channel), []).append(channel)
        for (start, stop), channels in ranges.items():
            size = channel_batch((stop - start) * self.chunking.hop)
            for first in range(0, len(channels), size):
                batch = channels[first : first + size]
                yield Context(batch, np.stack([self._codes(channel, start, stop) for channel in batch]), start)
        needed = ((index + 1) * self.core - self.chunking.halo) // self.core  # by the next chunk
        for old in [known for known in self._chunks if known < needed]:
            del self._chunks[old]

    def _range(self, index: int, channel: int) -> tuple[int, int]:
        """The frames around a chunk for which the channel has codes, within the halo."""
        span, first, last = self.chunking.span(index), index, index
        while first * self.core > span.outer_start and channel in self._chunk(first - 1).rows:
            first -= 1
        while (last + 1) * self.core < span.outer_stop and channel in self._chunk(last + 1).rows:
            last += 1
        return max(span.outer_start, first * self.core), min(span.outer_stop, (last + 1) * self.core)

    def _codes(self, channel: int, start: int, stop: int) -> Codes:
        """Codes [G, stop - start] of a channel that sounds there."""
        parts = []
        for index in range(start // self.core, -(-stop // self.core)):
            chunk, offset = self._chunk(index), index * self.core
            parts.append(chunk.codes[chunk.rows[channel], :, max(0, start - offset) : stop - offset])
        return np.concatenate(parts, axis=1)

    def _chunk(self, index: int) -> _Chunk:
        if index not in self._chunks:
            self._chunks[index] = self._read(index)
        return self._chunks[index]

    def _read(self, index: int) -> _Chunk:
        span, stream = self.chunking.span(index), self.stream(index)
        codes = self.coder.read(stream.codes, self.entropy, len(stream.channels), (span.stop - span.start,))
        return _Chunk({channel: row for row, channel in enumerate(stream.channels)}, codes)


def channel_batch(samples: int) -> int:
    """How many channels of so many samples are given to the network at once."""
    return max(1, _BATCH_SAMPLES // samples)


def silence_bits(active: list[bool]) -> bytes:
    """What a stream begins with where it tells which channels are silent."""
    return np.packbits(active, bitorder="little").tobytes()
