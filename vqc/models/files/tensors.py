"""Tensors of model files as bytes, and the digest of some of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from vqc.models.config import canonical_json


class TensorEntry(NamedTuple):
    """Place of a tensor in a model file."""

    name: str
    dtype: str  # as safetensors writes it
    shape: tuple[int, ...]
    start: int  # bytes from the start of the tensors
    stop: int


class StoredTensor(NamedTuple):
    """A tensor as a model file holds it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview  # little-endian, row-major


def digest_tensors(described: Sequence[Any], tensors: Iterable[StoredTensor]) -> str:
    """SHA-256 (hex) over some JSON, then every tensor's name, dtype, shape and bytes in order of name."""
    digest = hashlib.sha256(canonical_json(described).encode())
    for name, dtype, shape, data in sorted(tensors, key=attrgetter("name")):
        digest.update(canonical_json([name, dtype, list(shape)]).encode())
        digest.update(data)
    return digest.hexdigest()
