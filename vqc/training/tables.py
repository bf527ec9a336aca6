"""The order-0 tables which travel inside a model, from what it codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqc.entropy.tables import frequencies_from_counts, ideal_bits
from vqc.models.base import CodecModel, Int64Array
from vqc.training.stages import tracked


def fill_static_tables(model: CodecModel, batches: Iterable[Tensor]) -> None:
    """Set the integer tables of every quality from the codes of these batches (what `model.encode` takes)."""
    counts = collect_counts(model, tracked(batches))
    table = np.zeros_like(counts)
    for quality in range(1, model.qualities + 1):
        sizes = model.codebook_sizes(quality)
        table[quality - 1, : len(sizes)] = frequencies_from_counts(counts[quality - 1, : len(sizes)], sizes)
    model.set_static_table(table)


@torch.inference_mode()
def collect_counts(model: CodecModel, batches: Iterable[Tensor]) -> Int64Array:
    """Count the symbols of batches that `model.encode` takes, encoded at each quality: int64 [Q, G, K].

    Every item is a stream of its own. The model should be in evaluation mode.
    """
    counts = np.zeros(tuple(model.static_table.shape), dtype=np.int64)
    for batch in batches:
        for index in range(model.qualities):
            for codes in model.encode(batch, index + 1).cpu().numpy():  # [G, ...]
                for group, symbols in enumerate(model.to_symbols(codes)):
                    counts[index, group] += np.bincount(symbols.ravel(), minlength=counts.shape[2])
    return counts


@torch.inference_mode()
def table_bits(model: Any, signals: Sequence[Tensor]) -> float:
    """Bits that the codes of all signals take with the static tables."""
    codes = torch.cat([model.encode(x, 1).flatten() for x in signals]).numpy()[None]
    return float(ideal_bits(codes, model.static_frequencies(1)))
