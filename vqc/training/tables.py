"""The order-0 tables which travel inside a model, from what it codes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from vqc.entropy.tables import frequencies_from_counts
from vqc.models.base import AudioModel, ImageModel, collect_counts
from vqc.training.stages import tracked


def fill_static_tables(model: ImageModel | AudioModel, batches: Iterable[Tensor]) -> None:
    """Set the integer tables of every quality from the codes of these batches (what `model.encode` takes)."""
    counts = collect_counts(model, tracked(batches))
    table = np.zeros_like(counts)
    for quality in range(1, model.qualities + 1):
        sizes = model.codebook_sizes(quality)
        table[quality - 1, : len(sizes)] = frequencies_from_counts(counts[quality - 1, : len(sizes)], sizes)
    model.set_static_table(table)
