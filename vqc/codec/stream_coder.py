"""Codes of one tile or chunk to the bytes of one stream and back, for each entropy mode.

    codes [A, G, ...] ─ prior (see `prior_coding`) ─────────────────── range coder ─ bytes     "prior"
                      ├ to_symbols (each of the A items) ─ [A·G, N] ─ range coder ─ bytes     "static"
                      └─────────────────────────────────── [A·G, N] ─ bit packing ─ bytes     "none"

An image tile is one item; an audio chunk has an item for each channel that is coded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vqc.codec.at_once import map_at_once
from vqc.codec.prior_coding import Costs, decode_with_prior, encode_with_prior
from vqc.codec.progress import CODING, Done, Meter
from vqc.entropy.bitpack import code_width, pack, packed_length, unpack
from vqc.entropy.range_coder import decode_static, encode_static
from vqc.entropy.tables import PRECISION
from vqc.errors import ContainerError
from vqc.format.container import Entropy, EntropyOption
from vqc.models.base import CodecModel
from vqc.models.prior import CodePrior

Codes = NDArray[np.uint16]  # as they wait for their entropy mode; tables sum to 2^16, so codes fit


class StreamCoder:
    """Reads and writes the streams of one model at one quality."""

    def __init__(self, model: CodecModel, quality: int) -> None:
        self.model, self.quality = model, quality
        self.sizes = model.codebook_sizes(quality)

    @cached_property
    def frequencies(self) -> NDArray[np.int64]:
        """The order-0 tables [G, K]."""
        return self.model.static_frequencies(self.quality)

    def write(self, codes: Codes, entropy: Entropy, done: Done | None = None) -> bytes:
        """The stream of codes [A, G, ...]; nothing at all for A = 0. `done` hears of codes that a prior writes."""
        items = codes.shape[0]
        if items == 0:
            return b""
        if entropy == "prior":
            return encode_with_prior(self.prior, codes, self.quality, done=done)
        if entropy == "none":
            return pack(codes.reshape(items * len(self.sizes), -1), self.sizes * items)
        symbols = [self.model.to_symbols(item) for item in codes.astype(np.int64)]  # [G, ...] of each item
        return encode_static(np.stack(symbols).reshape(items * len(self.sizes), -1), self._tables(items))

    def read(
        self,
        stream: bytes,
        entropy: Entropy,
        items: int,
        grid: tuple[int, ...],
        costs: Costs | None = None,
        *,
        done: Done | None = None,
    ) -> Codes:
        """The codes [A, G, *grid] of a stream; `costs`, of this shape, is filled with the bits that each code takes.

        ContainerError when the stream is not exactly that of such codes.
        """
        groups = len(self.sizes)
        if items == 0:
            if stream:
                raise ContainerError("the .vqc file has codes where none belong; it is damaged, get it again")
            return np.zeros((0, groups, *grid), np.uint16)
        count = math.prod(grid)
        if entropy == "prior":
            return decode_with_prior(self.prior, stream, (items, groups, *grid), self.quality, costs, done=done)
        if entropy == "none":
            codes = unpack(stream, self.sizes * items, count).reshape(items, groups, *grid)
            if costs is not None:
                widths = [code_width(size) for size in self.sizes]
                costs[:] = np.reshape(widths, (groups, *[1] * len(grid)))  # alike at every position
        else:
            symbols = decode_static(stream, self._tables(items), count).reshape(items, groups, *grid)  # [A, G, ...]
            if costs is not None:
                # [A, G, N]: frequency of each symbol in the table of its group
                chosen = self.frequencies[np.arange(groups)[:, None], symbols.reshape(items, groups, count)]
                costs[:] = (PRECISION - np.log2(chosen)).reshape(costs.shape)
            codes = np.stack([self.model.from_symbols(item) for item in symbols])
            self._check_range(codes)  # any symbols may stand in a damaged file
        return codes.astype(np.uint16)

    @property
    def modes(self) -> tuple[Entropy, ...]:
        """The entropy modes that the model has."""
        return ("static", "none") if self.model.prior is None else ("prior", "static", "none")

    @property
    def prior(self) -> CodePrior:
        """The prior of the model; ContainerError when it has none."""
        if self.model.prior is None:
            raise ContainerError("the .vqc file needs a learned prior, which its model does not have; it is damaged")
        return self.model.prior

    def packed_length(self, codes: Codes) -> int:
        """Length of `write(codes, "none")`."""
        items = codes.shape[0]
        return packed_length(self.sizes * items, math.prod(codes.shape[2:]))

    def _tables(self, items: int) -> NDArray[np.int64]:
        return np.tile(self.frequencies, (items, 1))  # [A·G, K]

    def _check_range(self, codes: NDArray[np.int64]) -> None:
        limits = np.array(self.sizes).reshape(-1, *[1] * (codes.ndim - 2))  # [G, 1, ...] beside [A, G, ...]
        if ((codes < 0) | (codes >= limits)).any():
            raise ContainerError("the .vqc file has codes outside the model's codebooks; it is damaged, get it again")


def write_streams(
    coder: StreamCoder, parts: Sequence[Codes], entropy: EntropyOption, meter: Meter | None = None
) -> tuple[Entropy, list[bytes]]:
    """The streams of all tiles or chunks and the mode they are in: "auto" takes the one with fewest bytes in total."""

    def written_as(mode: Entropy) -> list[bytes]:
        return map_at_once(
            lambda codes: coder.write(codes, mode, meter.counter(codes, CODING) if meter else None), parts
        )

    if entropy != "auto":
        return entropy, written_as(entropy)
    written = {mode: written_as(mode) for mode in coder.modes if mode != "none"}
    # ties go to the mode named first: the prior
    smallest = min(written, key=lambda mode: sum(map(len, written[mode])))
    if sum(map(len, written[smallest])) <= sum(map(coder.packed_length, parts)):
        return smallest, written[smallest]
    return "none", [coder.write(codes, "none") for codes in parts]
