"""Codes of one tile or chunk to the bytes of one stream and back, for either entropy mode.

    codes [A, G, ...] ─ to_symbols (each of the A items) ─ [A·G, N] ─ range coder ─ bytes     "static"
                      └─────────────────────────────────── [A·G, N] ─ bit packing ─ bytes     "none"

An image tile is one item; an audio chunk has an item for each channel that is coded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from vqc.entropy.bitpack import pack, packed_length, unpack
from vqc.entropy.static import decode_symbols, encode_symbols
from vqc.errors import ContainerError
from vqc.models.base import CodecModel

Codes = NDArray[np.uint16]  # as they wait for their entropy mode; tables sum to 2^16, so codes fit
Entropy = Literal["none", "static"]
EntropyOption = Literal["auto", "prior", "static", "none"]


class StreamCoder:
    """Reads and writes the streams of one model at one quality."""

    def __init__(self, model: CodecModel, quality: int) -> None:
        self.model, self.quality = model, quality
        self.sizes = model.codebook_sizes(quality)

    @cached_property
    def frequencies(self) -> NDArray[np.int64]:
        """The order-0 tables [G, K]."""
        return self.model.static_frequencies(self.quality)

    def write(self, codes: Codes, entropy: Entropy) -> bytes:
        """The stream of codes [A, G, ...]; nothing at all for A = 0."""
        items = codes.shape[0]
        if items == 0:
            return b""
        if entropy == "none":
            return pack(codes.reshape(items * len(self.sizes), -1), self.sizes * items)
        symbols = [self.model.to_symbols(item) for item in codes.astype(np.int64)]
        return encode_symbols(np.stack(symbols).reshape(items * len(self.sizes), -1), self._tables(items))

    def read(self, stream: bytes, entropy: Entropy, items: int, grid: tuple[int, ...]) -> Codes:
        """The codes [A, G, *grid] of a stream; ContainerError when it is not exactly theirs."""
        groups = len(self.sizes)
        if items == 0:
            if stream:
                raise ContainerError("the .vqc file has codes where none belong; it is damaged, get it again")
            return np.zeros((0, groups, *grid), np.uint16)
        count = math.prod(grid)
        if entropy == "none":
            codes = unpack(stream, self.sizes * items, count).reshape(items, groups, *grid)
        else:
            symbols = decode_symbols(stream, self._tables(items), count).reshape(items, groups, *grid)
            codes = np.stack([self.model.from_symbols(item) for item in symbols])
            self._check_range(codes)
        return codes.astype(np.uint16)

    def packed_length(self, codes: Codes) -> int:
        """Length of `write(codes, "none")`."""
        items = codes.shape[0]
        return packed_length(self.sizes * items, math.prod(codes.shape[2:]))

    def _tables(self, items: int) -> NDArray[np.int64]:
        return np.tile(self.frequencies, (items, 1))

    def _check_range(self, codes: NDArray[np.int64]) -> None:
        limits = np.array(self.sizes).reshape(-1, *[1] * (codes.ndim - 2))
        if ((codes < 0) | (codes >= limits)).any():
            raise ContainerError("the .vqc file has codes outside the model's codebooks; it is damaged, get it again")


def write_streams(coder: StreamCoder, parts: Sequence[Codes], entropy: EntropyOption) -> tuple[Entropy, list[bytes]]:
    """The streams of all tiles or chunks and the mode they are in: "auto" takes the one with fewer bytes in total."""
    if entropy != "auto":
        mode = cast(Entropy, entropy)
        return mode, [coder.write(codes, mode) for codes in parts]
    streams = [coder.write(codes, "static") for codes in parts]
    if sum(map(len, streams)) <= sum(coder.packed_length(codes) for codes in parts):
        return "static", streams
    return "none", [coder.write(codes, "none") for codes in parts]
