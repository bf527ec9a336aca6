"""Statistics of the codes of files: information content, perplexity, entries in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.entropy.range_coder import symbol_bits
from vqc.evaluation.results import CodeMaps
from vqc.models.base import TABLE_PRECISION, CodecModel

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(kw_only=True, eq=False)
class CodeStatistics:
    """Codes of files at one quality, added up. G maps, K entries of the largest codebook."""

    bits: Float64Array  # [G]: -log2 P of all codes of each map
    counts: Int64Array  # [G, K]: how often each code occurs

    @classmethod
    def of(cls, model: CodecModel, streams: Iterable[NDArray[np.integer]], quality: int) -> CodeStatistics:
        """Count the codes [B, G, ...] of streams, each of which is coded by itself; zeros for none."""
        sizes = model.codebook_sizes(quality)
        sums = cls(bits=np.zeros(len(sizes)), counts=np.zeros((len(sizes), max(sizes)), np.int64))
        for codes in streams:
            costs = code_bits(model, codes, quality)  # [B, G, ...]
            maps = codes.swapaxes(0, 1).reshape(len(sizes), -1).astype(np.int64)  # [G, B · ...]
            sums.bits += costs.sum(axis=(0, *range(2, costs.ndim)))
            sums.counts += np.stack([np.bincount(row, minlength=max(sizes)) for row in maps])
        return sums

    @classmethod
    def total(cls, sums: Iterable[CodeStatistics]) -> CodeStatistics:
        """Add up those of several files at the same quality."""
        parts = list(sums)
        bits, counts = sum(part.bits for part in parts), sum(part.counts for part in parts)
        return cls(bits=np.asarray(bits), counts=np.asarray(counts))


@torch.inference_mode()
def code_bits(model: CodecModel, codes: NDArray[np.integer], quality: int) -> Float64Array:
    """-log2 P of each code of a stream [B, G, ...]: by the prior, or by the order-0 tables of a model without one."""
    if model.prior is None:
        return _table_bits(model, codes, quality)
    device = model.static_table.device
    known = torch.from_numpy(codes.astype(np.int64)).to(device)  # [B, G, ...]
    bits = torch.zeros(known.numel(), dtype=torch.float64, device=device)
    for indices, logits in model.prior.counting_steps(known, quality):
        frequencies = model.prior.tables(logits).cpu().numpy()  # [N, K], integers
        symbols = known.view(-1)[indices].cpu().numpy().astype(np.int32)  # [N]
        bits[indices] = torch.from_numpy(symbol_bits(symbols, frequencies)).to(device)
    result: Float64Array = bits.view(known.shape).cpu().numpy()
    return result


def _table_bits(model: CodecModel, codes: NDArray[np.integer], quality: int) -> Float64Array:
    frequencies = model.static_frequencies(quality)  # [G, K]
    symbols = np.stack([model.to_symbols(item) for item in codes.astype(np.int64)])  # [B, G, ...]
    groups = np.arange(symbols.shape[1]).reshape(1, -1, *[1] * (symbols.ndim - 2))  # [1, G, 1, ...]
    bits: Float64Array = TABLE_PRECISION - np.log2(frequencies[groups, symbols])
    return bits


def describe_maps(model: CodecModel, quality: int, sums: CodeStatistics) -> tuple[CodeMaps, ...]:
    """The sums by kind of map, as `CodecModel.describe_groups` has them."""
    sizes, maps, first = model.codebook_sizes(quality), list[CodeMaps](), 0
    for label, count in model.describe_groups(quality):
        group = slice(first, first + count)
        maps.append(_maps(label, sizes[group], sums.bits[group], sums.counts[group]))
        first += count
    return tuple(maps)


def _maps(label: str, sizes: Sequence[int], bits: Float64Array, counts: Int64Array) -> CodeMaps:
    codes, largest = int(counts.sum()), max(sizes)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)  # [G, K]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)  # [G], nats
    used = [(row[:size] > 0).mean() for row, size in zip(counts, sizes, strict=True)]
    return CodeMaps(
        label=label,
        codes=codes,
        codebook_size=largest,
        bits_per_code=float(bits.sum()) / max(codes, 1),
        perplexity=float(np.exp(entropy).mean()),
        fraction_used=float(np.mean(used)),
        histogram=np.sort(counts[:, :largest], axis=1)[:, ::-1].sum(0),
    )
