"""Weights as model files hold them in eight bits: whole numbers of −127 to 127, and a scale for each row.

A row is what belongs to one index of the first axis: the weights of one output of a layer. Its scale is the largest of
them by 127. The scales are a tensor of their own, named after that of the weights, and have 16 bits that count: so a
product is exact in float32, and what was read is stored again as the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from vqc.models.files.tensors import TensorEntry

SCALES = ".scales"  # what the name of the scales adds to that of the weights
TYPE, SCALES_TYPE = "I8", "F32"
_LARGEST = 127
_SHORTEST_ROW = 8  # of others the scale takes what the weights leave


def is_packable(tensor: Tensor) -> bool:
    """Whether a tensor is of weights that eight bits are for: floats in rows that are long enough."""
    return tensor.is_floating_point() and tensor.dim() > 1 and tensor[0].numel() >= _SHORTEST_ROW


def pack(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights [N, ...] as int8 [N, ...] and the scales of the rows, float32 [N]."""
    rows = weights.float().flatten(1)
    largest = rows.abs().amax(1)
    bits = (largest / _LARGEST).view(torch.int32)
    scales = (bits + 0xFF & ~0xFF).view(torch.float32)  # up to the next number of 16 bits
    scales = torch.where(largest > 0, scales, 1.0)
    return (rows / scales[:, None]).round().to(torch.int8).view(weights.shape), scales


def unpack(numbers: Tensor, scales: Tensor) -> Tensor:
    """Return the weights, float32 [N, ...], of int8 [N, ...] and scales [N]."""
    return numbers.float() * scales.view(-1, *[1] * (numbers.dim() - 1))


def rounded(weights: Tensor) -> Tensor:
    """Return weights as they are read again once they are stored in eight bits."""
    return unpack(*pack(weights))


def pack_all(tensors: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Return the tensors of a model file with those of these names in eight bits."""
    packed = dict(tensors)
    for name in names:
        packed[name], packed[name + SCALES] = pack(tensors[name])
    return packed


def unpack_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a model as `pack_all` was given them; what is not in eight bits stays."""
    of_scales = {name + SCALES: name for name in tensors if name + SCALES in tensors}
    plain = {name: tensor for name, tensor in tensors.items() if name not in of_scales}
    return plain | {name: unpack(tensors[name], tensors[scales]) for scales, name in of_scales.items()}


def as_unpacked(entries: Iterable[TensorEntry]) -> list[TensorEntry]:
    """Return the places of tensors as if none were in eight bits; of scales that do not fit nothing changes."""
    found = {entry.name: entry for entry in entries}
    for name, entry in list(found.items()):
        scales = found.get(name + SCALES)
        fits = scales is not None and (scales.dtype, scales.shape) == (SCALES_TYPE, entry.shape[:1])
        if fits and entry.dtype == TYPE and len(entry.shape) > 1:
            found[name] = entry._replace(dtype=SCALES_TYPE)
            del found[name + SCALES]
    return list(found.values())
