"""Streams of many items of one shape, written and read together: each has the bytes that it would have alone.

A prior is asked once for a step of all items that hold equally many code maps, which is what makes small items fast;
each item has a range coder of its own. The prior computes in integers, so that what it says of an item does not depend
on the items beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.codec.prior_coding import CHECK_BYTES, Codes, StreamEnds, check_of, code_with_prior, codes_do_not_fit
from vqc.codec.stream_coder import StreamCoder
from vqc.entropy.range_coder import Frequencies, RangeDecoder, RangeEncoder
from vqc.errors import ContainerError
from vqc.format.container import Entropy

TOGETHER = 2**17  # codes that a prior is asked for at once: bounds memory


def write_each(coder: StreamCoder, codes: Codes, entropy: Entropy) -> list[bytes]:
    """The stream of each of B items with codes [B, G, ...], as `StreamCoder.write` gives it of the item alone."""
    if entropy != "prior":
        return [coder.write(item[None], entropy) for item in codes]
    size = _items_together(coder, codes.shape[1:])
    return [stream for first in range(0, len(codes), size) for stream in _encode(coder, codes[first : first + size])]


def read_each(coder: StreamCoder, streams: Sequence[bytes], entropy: Entropy, grid: tuple[int, ...]) -> Codes:
    """The codes [B, G, *grid] of streams of one item each.

    Raises:
        ContainerError: a stream is not that of such codes; none is read then.
    """
    if entropy != "prior":
        return np.concatenate([coder.read(stream, entropy, 1, grid) for stream in streams])
    shape = len(coder.sizes), *grid
    size = _items_together(coder, shape)
    return np.concatenate([_decode(coder, streams[i : i + size], shape) for i in range(0, len(streams), size)])


def _items_together(coder: StreamCoder, shape: tuple[int, ...]) -> int:
    """Items with codes of this shape [G, ...] that a prior is asked of at once."""
    return min(max(1, TOGETHER // math.prod(shape)), coder.prior.most_items(shape[1:]))


@torch.inference_mode()
def _encode(coder: StreamCoder, codes: Codes) -> list[bytes]:
    encoders, ends = [RangeEncoder() for _ in codes], StreamEnds(coder.prior, codes.shape[1])
    maps = [ends.write(encoder, item[None]) for encoder, item in zip(encoders, codes, strict=True)]
    for count, items in _alike(maps):
        _encode_alike(coder, codes[items, :count], [encoders[item] for item in items])
    return [check_of(item[None]) + encoder.finish() for item, encoder in zip(codes, encoders, strict=True)]


def _encode_alike(coder: StreamCoder, codes: Codes, encoders: Sequence[RangeEncoder]) -> None:
    """Write codes [B, maps, ...], all that streams hold."""
    codes = np.ascontiguousarray(codes)
    flat = codes.reshape(-1)

    def step(places: NDArray[np.int64], tables: Frequencies) -> NDArray[np.int32]:
        symbols: NDArray[np.int32] = flat[places].astype(np.int32)
        order, parts = _by_item(places // codes[0].size)
        some, their_tables = symbols[order], tables[order]
        for item, rows in parts:
            encoders[item].encode(some[rows], their_tables[rows])
        return symbols

    code_with_prior(coder.prior, codes.shape, coder.quality, step)


@torch.inference_mode()
def _decode(coder: StreamCoder, streams: Sequence[bytes], shape: tuple[int, ...]) -> Codes:
    decoders, ends = [RangeDecoder(stream[CHECK_BYTES:]) for stream in streams], StreamEnds(coder.prior, shape[0])
    codes = np.zeros((len(streams), *shape), np.uint16)
    try:
        maps = [ends.read(decoder) for decoder in decoders]
        for count, items in _alike(maps):
            those = [decoders[item] for item in items]
            codes[items, :count] = _decode_alike(coder, (len(items), count, *shape[1:]), those)
        for item, count, decoder in zip(codes, maps, decoders, strict=True):
            ends.check(item[None], count)
            decoder.finish()
    except ContainerError as error:
        raise codes_do_not_fit() from error
    if any(check_of(item[None]) != stream[:CHECK_BYTES] for item, stream in zip(codes, streams, strict=True)):
        raise codes_do_not_fit()
    return codes


def _decode_alike(coder: StreamCoder, shape: tuple[int, ...], decoders: Sequence[RangeDecoder]) -> Codes:
    """Read codes of a shape [B, maps, ...], all that streams hold."""
    size = math.prod(shape[1:])

    def step(places: NDArray[np.int64], tables: Frequencies) -> NDArray[np.int32]:
        order, parts = _by_item(places // size)
        some, their_tables = np.zeros(len(tables), np.int32), tables[order]
        for item, rows in parts:
            some[rows] = decoders[item].decode(their_tables[rows])
        symbols = np.empty_like(some)
        symbols[order] = some
        return symbols

    return code_with_prior(coder.prior, shape, coder.quality, step)


def _alike(maps: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Numbers of code maps, and the items that have so many."""
    return [(count, [item for item, own in enumerate(maps) if own == count]) for count in sorted(set(maps))]


def _by_item(items: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, slice]]]:
    """The order in which rows [N] of these items lie item after item, and where each then has its rows."""
    order = np.argsort(items, kind="stable")
    there = items[order]
    ends = (np.flatnonzero(np.diff(there, append=-1)) + 1).tolist()
    return order, [(int(there[end - 1]), slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]
