"""The codes of a file, stream by stream, with the bits that each takes and the place where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vqc.codec.audio import AudioCodec
from vqc.codec.chunk_reader import ChunkReader
from vqc.codec.image import ImageCodec, TileStreams
from vqc.codec.prior_coding import Costs
from vqc.codec.stream_coder import Codes, StreamCoder
from vqc.format.container import Container, Entropy


class Piece(NamedTuple):
    """One stream of a file, read."""

    silence: bytes  # what stands before the codes in files of several channels
    stream: bytes  # the codes as they are in the file
    codes: Codes  # [A, G, ...]
    costs: Costs  # of that shape: bits of each
    place: tuple[slice, ...]  # where these codes are among those of the whole file


def streams_of(codec: ImageCodec | AudioCodec, container: Container) -> TileStreams | ChunkReader:
    """The streams of a file of the codec's model, not read yet; raises what its `decompress` does."""
    return codec.tiles(container) if isinstance(codec, ImageCodec) else codec.chunks(container)


def read_pieces(reader: TileStreams | ChunkReader, entropy: Entropy) -> Iterator[Piece]:
    """Every stream, read, in the order of the file."""
    if isinstance(reader, TileStreams):
        for tile, stream in zip(reader.tiling, reader.streams, strict=True):
            yield _read(reader.coder, b"", stream, entropy, 1, (tile.rows.core, tile.columns.core))
        return
    for index in range(len(reader.chunking)):
        silence, channels, stream = reader.stream(index)
        yield _read(reader.coder, silence, stream, entropy, len(channels), (reader.chunking.span(index).core,))


def _read(
    coder: StreamCoder, silence: bytes, stream: bytes, entropy: Entropy, items: int, place: tuple[slice, ...]
) -> Piece:
    grid = tuple(part.stop - part.start for part in place)
    costs = np.zeros((items, len(coder.sizes), *grid), np.float32)
    return Piece(silence, stream, coder.read(stream, entropy, items, grid, costs), costs, place)
