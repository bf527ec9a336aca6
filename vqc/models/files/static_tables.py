"""Static tables as model files hold them: 16 bits for each entry that a codebook uses, and nothing for others.

They were once stored as they are, int32 [Q, G, K]; files with such tables are read as well, and stay so when they get
another part, as the digest is of what is stored.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vqc.models.files.tensors import TensorEntry

NAME = "static_table"
TYPE = "U16"
_LARGEST = (1 << 16) - 1


def pack(table: Tensor, active: Tensor) -> Tensor:
    """Return the entries of a table [Q, G, K] that are active, uint16 [N]; the table if one is the only of its row."""
    entries = table[active]
    return entries.to(torch.uint16) if int(entries.max()) <= _LARGEST else table


def unpack(entries: Tensor, active: Tensor) -> Tensor:
    """Return the table int32 [Q, G, K] of active entries [N], or what is one already."""
    if entries.dtype != torch.uint16:
        return entries
    table = torch.zeros(active.shape, dtype=torch.int32)
    table[active] = entries.to(torch.int32)
    return table


def as_unpacked(entry: TensorEntry, active: Tensor) -> TensorEntry:
    """Return the place of a table as if it were not packed; one that is not is returned as it is."""
    if (entry.name, entry.dtype) != (NAME, TYPE) or entry.shape != (int(active.sum()),):
        return entry
    return entry._replace(dtype="I32", shape=tuple(active.shape))
