"""Codes to bytes and back under a prior: one loop for both directions.

    prior ─ logits of a part ─ integer softmax ─► tables ─► coder ─► codes of the part ─┐
      ▲                                                                                 │
      └────────────────────────── codes so far ◄─────────────────────────────────────────┘

Encoder and decoder differ only in where a part's codes come from: `step`. A stream is two bytes of a CRC-32 of its
codes, low byte first, and then the range coder's bytes. The file's own checksum finds damaged files; this one would
find a build of torch that gets sums of integers wrong, and turns what would be noise into an error. Where the prior
has `ends`, the range coder's first symbol says how many code maps there are (`StreamEnds`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.codec.progress import Done
from vqc.devices import one_thread
from vqc.entropy.range_coder import Frequencies, RangeDecoder, RangeEncoder, symbol_bits
from vqc.errors import ContainerError
from vqc.models.prior import CodePrior

CHECK_BYTES = 2  # of a CRC-32: of 65,536 wrong decodings one goes unnoticed
_ITEMS = 32  # channels or tiles coded together: bounds memory
_FREQUENCIES = 1 << 17  # of tables made at a time: 1 MiB, to stay in the cache

Codes = NDArray[np.uint16]
Costs = NDArray[np.float32]  # bits of each code

Step = Callable[[NDArray[np.int64], Frequencies], NDArray[np.int32]]  # where codes are, their tables → codes


class StreamEnds:
    """How many of the G code maps of some items a stream holds, up to one of the prior's ends: all others are 0.

    At low rates most maps of fine detail are, and a prior that is not asked of them is twice as fast.
    """

    def __init__(self, prior: CodePrior, groups: int) -> None:
        self.counts = (*(end for end in prior.ends if end < groups), groups)
        self._table = np.ones((1, len(self.counts)))  # of equal frequencies; no bits where there is no choice

    def fewest(self, codes: Codes) -> int:
        """The fewest maps that hold all that is not 0 of codes [B, G, ...]."""
        return next(maps for maps in self.counts if not codes[:, maps:].any())

    def write(self, encoder: RangeEncoder, codes: Codes) -> int:
        """How many maps the stream of codes [B, G, ...] will hold, which it is told."""
        maps = self.fewest(codes)
        encoder.encode(np.array([self.counts.index(maps)], np.int32), self._table)
        return maps

    def read(self, decoder: RangeDecoder) -> int:
        """What `write` returned."""
        return self.counts[int(decoder.decode(self._table)[0])]

    def check(self, codes: Codes, maps: int) -> None:
        """ContainerError when a stream of so many maps could have left out more: a message has exactly one form."""
        if self.fewest(codes) != maps:
            raise codes_do_not_fit()


@torch.inference_mode()
def encode_with_prior(
    prior: CodePrior, codes: Codes, quality: int, costs: Costs | None = None, *, done: Done | None = None
) -> bytes:
    """The stream of codes [B, G, ...]; `costs`, of the same shape, is filled with the bits that each code takes.

    `done` is told how many codes more are written.
    """
    encoder, ends = RangeEncoder(), StreamEnds(prior, codes.shape[1])
    for first in range(0, len(codes), _ITEMS):
        items = codes[first : first + _ITEMS]
        maps = ends.write(encoder, items)
        items = np.ascontiguousarray(items[:, :maps])

        def step(places: NDArray[np.int64], tables: Frequencies, source: Codes = items) -> NDArray[np.int32]:
            symbols: NDArray[np.int32] = source.reshape(-1)[places].astype(np.int32)
            encoder.encode(symbols, tables)
            return symbols

        some = None if costs is None else costs[first : first + _ITEMS]
        code_with_prior(prior, items.shape, quality, step, some, done)
        if done is not None:
            done(codes[first : first + _ITEMS].size - items.size)
    return check_of(codes) + encoder.finish()


@torch.inference_mode()
def decode_with_prior(
    prior: CodePrior,
    data: bytes,
    shape: tuple[int, ...],
    quality: int,
    costs: Costs | None = None,
    *,
    done: Done | None = None,
) -> Codes:
    """The codes [B, G, ...] of a stream; `costs`, of this shape, is filled with the bits that each code takes.

    `done` is told how many codes more are read.

    ContainerError when it is not exactly theirs.
    """
    decoder, ends = RangeDecoder(data[CHECK_BYTES:]), StreamEnds(prior, shape[1])
    codes = np.zeros(shape, np.uint16)

    def step(_: NDArray[np.int64], tables: Frequencies) -> NDArray[np.int32]:
        return decoder.decode(tables)

    try:
        for first in range(0, shape[0], _ITEMS):
            items, maps = codes[first : first + _ITEMS], ends.read(decoder)
            some = None if costs is None else costs[first : first + _ITEMS]
            held = (len(items), maps, *shape[2:])
            items[:, :maps] = code_with_prior(prior, held, quality, step, some, done)
            ends.check(items, maps)
            if done is not None:
                done(items.size - math.prod(held))
        decoder.finish()
    except ContainerError as error:
        raise codes_do_not_fit() from error
    if check_of(codes) != data[:CHECK_BYTES]:
        raise codes_do_not_fit()
    return codes


def codes_do_not_fit() -> ContainerError:
    """The error of a stream that is not exactly that of its codes."""
    return ContainerError(
        "the codes in the .vqc file do not fit its model's prior: the file is damaged, get it again; if it is whole "
        "(vqc verify --no-decode says so), this machine computes integers wrongly: please report it"
    )


@one_thread()
def code_with_prior(
    prior: CodePrior,
    shape: tuple[int, ...],
    quality: int,
    step: Step,
    costs: Costs | None = None,
    done: Done | None = None,
) -> Codes:
    """All codes of streams, in the prior's order, each part from `step`; the rest as `encode_with_prior` has it.

    Maps that `costs` has behind those of the shape take no bits.
    """
    taken = np.zeros(shape if costs is not None else 0, np.float32)
    device = next(prior.buffers()).device
    codes = torch.zeros(shape, dtype=torch.int64, device=device)  # [B, G, ...], filled step by step
    flat, softmax = codes.view(-1), prior.softmax()
    for indices, logits in prior.coding_steps(codes, quality):
        places = indices.cpu().numpy()
        symbols = np.empty(len(places), np.int32)
        for some in portions(*logits.shape):
            tables = softmax(logits[some]).cpu().numpy()  # [n, K] of whole numbers: no rounding of a network decides
            symbols[some] = step(places[some], tables)
            if costs is not None:
                taken.reshape(-1)[places[some]] = symbol_bits(symbols[some], tables)
            if done is not None:
                done(len(tables))
        # the logits that follow depend on these codes
        flat[indices] = torch.from_numpy(symbols).to(device, torch.int64)
    if costs is not None:
        costs[:, : shape[1]], costs[:, shape[1] :] = taken, 0
    return codes.cpu().numpy().astype(np.uint16)


def portions(rows: int, size: int) -> Iterator[slice]:
    """Cut rows of so many frequencies into portions that are about as large."""
    count = max(1, -(-rows * size // _FREQUENCIES))
    return (slice(i * rows // count, (i + 1) * rows // count) for i in range(count))


def check_of(codes: Codes) -> bytes:
    """The first bytes of the stream of codes [B, G, ...]."""
    crc = zlib.crc32(np.ascontiguousarray(codes, dtype="<u2").tobytes())
    return (crc & 0xFFFF).to_bytes(CHECK_BYTES, "little")
