"""The segments of a file, tiles or chunks, as they are read: one stream each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vqc.codec.at_once import map_at_once
from vqc.codec.prior_coding import Costs
from vqc.codec.progress import Done, Meter, Progress
from vqc.codec.stream_coder import Codes, StreamCoder
from vqc.errors import ContainerError
from vqc.format.chunking import Chunking, split_silence
from vqc.format.container import Header
from vqc.format.index import Streams
from vqc.format.tiling import Tiling

NO_CODE = -1  # where a channel is exactly silent: files hold none there


class Segment(NamedTuple):
    """One stream of a file, read."""

    prefix: bytes  # what stands before the codes where the stream tells which channels are silent
    items: list[int]  # with codes: the only one, or channels that sound
    stream: bytes  # the codes as they are in the file
    codes: Codes  # [A, G, ...]
    region: tuple[slice, ...]  # where these codes are among those of the whole file


class StreamSource(Protocol):
    """A file whose streams can be had: a container, or a file that is read here and there."""

    @property
    def header(self) -> Header: ...
    @property
    def alpha(self) -> bytes | None: ...
    @property
    def traits(self) -> bytes: ...

    def streams(self, count: int) -> Streams:
        """The streams, of which there must be so many.

        Raises:
            ContainerError: there are not; or when one is taken that is damaged.
        """


class SegmentReader:
    """The streams of a file, one for each segment, read when asked for.

    Args:
        source: the file.
        segments: of the file's shape.
        keep: hold what was read, so that each stream is read once.
        salvage: read a damaged segment as one without items, and note it in `damaged`.

    Raises:
        ContainerError: the file does not hold so many streams.
    """

    def __init__(
        self,
        source: StreamSource,
        coder: StreamCoder,
        segments: Tiling | Chunking,
        *,
        keep: bool = False,
        salvage: bool = False,
    ) -> None:
        self.coder, self.segments, self.keep, self.salvage = coder, segments, keep, salvage
        # not the source: what was read of it may go
        self.header, self.alpha, self.traits = source.header, source.alpha, source.traits
        self.streams = source.streams(len(segments))
        self.damaged = set[int]()
        self._lock = threading.Lock()
        self._kept: dict[int, Segment] = {}

    def __len__(self) -> int:
        return len(self.segments)

    def indices(self, first: int = 0) -> Iterable[tuple[int, bool]]:
        """The segments from this one on, each when it can be restored, and whether what it needs of the next is there.

        One for which it is not comes again when it is.
        """
        return ((index, True) for index in range(first, len(self)))

    def __iter__(self) -> Iterator[Segment]:
        return (self.read(index) for index in range(len(self)))

    def read(self, index: int, *, done: Done | None = None) -> Segment:
        """The segment of this index; `done` hears how many codes more are read.

        Raises:
            ContainerError: the stream is not as it should be.
        """
        if index in self._kept:
            return self._kept[index]
        segment = self._read(index, None, done)
        if self.keep:
            self._kept[index] = segment
        return segment

    def read_with_costs(self, index: int) -> tuple[Segment, Costs]:
        """Read as `read` does; return the bits that each code takes as well, [A, G, ...]."""
        region, (_, items, _) = self.segments.region(index), self.parts(index)
        costs = np.zeros((len(items), len(self.coder.sizes), *extent(region)), np.float32)
        return self._read(index, costs, None), costs

    def read_grid(self, progress: Progress | None = None) -> Codes:
        """All codes [G, ...] of a file of one item."""
        assert self.header.shape.items == 1, "one grid holds the codes of one item"
        grid = np.empty((len(self.coder.sizes), *self.segments.grid), np.uint16)
        meter = Meter(progress, grid.size)

        def read(index: int) -> None:
            segment = self.read(index, done=meter.add)
            grid[(slice(None), *segment.region)] = segment.codes[0] if segment.items else 0  # 0: it is damaged

        map_at_once(read, range(len(self)))
        return grid

    def read_all(self) -> NDArray[np.int64]:
        """All codes [C, G, ...] of the items of a file; `NO_CODE` where one is silent and has none."""
        codes = np.full((self.header.shape.items, len(self.coder.sizes), *self.segments.grid), NO_CODE, np.int64)
        for segment in self:
            where: tuple[Any, ...] = (segment.items, slice(None), *segment.region)
            codes[where] = segment.codes
        return codes

    def parts(self, index: int) -> tuple[bytes, list[int], bytes]:
        """Split the stream of a segment into what stands before the codes, the items that have codes, and the codes."""
        shape, stream = self.header.shape, self.streams[index]
        return split_silence(stream, shape.items) if shape.tells_silence else (b"", [0], stream)

    def _read(self, index: int, costs: Costs | None, done: Done | None) -> Segment:
        region = self.segments.region(index)
        try:
            with self._lock:  # a file is at one place at a time
                prefix, items, stream = self.parts(index)
            codes = self.coder.read(stream, self.header.entropy, len(items), extent(region), costs, done=done)
        except ContainerError:
            if not self.salvage:
                raise
            self.damaged.add(index)
            nothing = np.zeros((0, len(self.coder.sizes), *extent(region)), np.uint16)
            return Segment(b"", [], b"", nothing, region)
        return Segment(prefix, items, stream, codes, region)


def extent(region: tuple[slice, ...]) -> tuple[int, ...]:
    """The lengths of the sides of a region."""
    return tuple(side.stop - side.start for side in region)
