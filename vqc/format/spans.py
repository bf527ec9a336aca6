"""Cutting a line of codes into cores with context: what tiling (twice) and chunking (once) are made of.

The sizes of the cores are part of the file format; training cuts alike, so that a prior learns the streams of files.

0 ............ 1024 ............ 2048 ... length       units: codes
[---- core 0 ----)[---- core 1 ----)[-core 2-)         cores meet without gap or overlap
[------ outer 0 ------)                                outer = core and `halo` on both sides, cut at the ends
            [------- outer 1 -------)
"""

from __future__ import annotations

from typing import NamedTuple

TILE = 1024  # pixels of a core's side; the largest multiple of the downsampling factor in it, to be exact
CHUNK_FRAMES = 256  # of a core, at least
CHUNK_SAMPLES = 65_536  # of a core, at least


class Span(NamedTuple):
    """A core and the context around it, as half-open ranges."""

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def core(self) -> slice:
        """The core, counted from the beginning of the line."""
        return slice(self.start, self.stop)

    @property
    def inner(self) -> slice:
        """The core, counted from the beginning of its context."""
        return slice(self.start - self.outer_start, self.stop - self.outer_start)


def tile_core(factor: int) -> int:
    """Codes along a side of a tile's core."""
    return max(1, TILE // factor)


def chunk_core(hop: int) -> int:
    """Frames of a chunk's core. More need more memory and are no faster: with these the features fit into caches."""
    return max(CHUNK_FRAMES, -(-CHUNK_SAMPLES // hop))


def span_count(length: int, core: int) -> int:
    """Number of cores in a line."""
    return -(-length // core)


def span_at(index: int, length: int, core: int, halo: int) -> Span:
    """The span with this index in a line of `length`."""
    start, stop = index * core, min((index + 1) * core, length)
    return Span(start, stop, max(0, start - halo), min(length, stop + halo))
