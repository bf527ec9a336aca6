"""What a model file says of itself, read without torch.

A model file is a safetensors file: an 8-byte little-endian length, that many bytes of JSON which place every tensor,
then the tensors. Its ``__metadata__`` holds strings, ours are::

    format   "vqc-model-1"
    info     canonical JSON: name, kind, media, config, qualities, default_quality, parameters, training, figures,
             prior (if there is one: kind, config, parameters, training, figures; its tensors begin with "prior."),
             likelihood (config and training, if there is one; its tensors begin with "likelihood."),
             sharp (if there is a sharp decoder: parameters, training, figures and a SHA-256 of its tensors, which begin
             with "sharp."),
             history (curves of the training run)
    digest   SHA-256 over kind, config and tensors, also those of the prior: what a .vqc file names its model by.
             A likelihood and a sharp decoder are left out, as they decide about no byte of a file
    check    CRC-32 of format, info and digest, so that damage outside the tensors shows too
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from vqc.errors import CheckpointError
from vqc.models.config import canonical_json
from vqc.models.files.description import UnknownFieldError, check_description, is_digest, shortened, strict_json

FORMAT = "vqc-model-1"
LIKELIHOOD, SHARP = "likelihood.", "sharp."  # what the names of their tensors begin with
MAX_HEADER_BYTES = 4 << 20
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class TensorEntry(NamedTuple):
    """Where a tensor lies in a model file."""

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


class Header(NamedTuple):
    """The parsed front of a model file."""

    metadata: dict[str, str]
    tensors: tuple[TensorEntry, ...]  # sorted by name
    data_start: int  # bytes from the start of the file


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model file described: everything but the tensors."""

    name: str
    kind: str
    media: Literal["image", "audio"]
    config: Mapping[str, Any]
    digest: str  # SHA-256, 64 hex digits
    qualities: int
    default_quality: int
    parameters: int  # trained weights and codebook entries
    bytes: int  # size of the file
    training: Mapping[str, Any] = field(default_factory=dict)  # data, steps, seed, version
    figures: Mapping[str, Any] = field(default_factory=dict)  # validation figures, rates
    prior: Mapping[str, Any] | None = None  # kind, config, parameters, training, figures
    likelihood: Mapping[str, Any] | None = None  # config, training
    sharp: Mapping[str, Any] | None = None  # digest, parameters, training, figures
    history: Mapping[str, Any] = field(default_factory=dict)  # curve of the training run → [[step, value], …]
    path: Path


def read_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Describe a model file from its header alone; CheckpointError when it is not one, cut short or damaged there."""
    path = Path(path)
    with opened_model(path) as file:
        size = os.fstat(file.fileno()).st_size
        return info_from_header(read_header(file, size, path), size, path)


@contextmanager
def opened_model(path: Path) -> Iterator[BinaryIO]:
    """A model file to read from; CheckpointError when that fails, or it is something else than a file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
            raise CheckpointError(f"cannot read the model {path}: it is not a file")
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise CheckpointError(f"cannot read the model {path}: {getattr(error, 'strerror', '') or error}") from None


def read_header(file: BinaryIO, size: int, path: Path) -> Header:
    """The header of an open model file of `size` bytes, none of its tensors; see `parse_header`."""
    start = file.read(8)
    return parse_header(start + file.read(_header_length(start, size, path)), size, path)


def parse_header(front: bytes, size: int, path: Path) -> Header:
    """Check the front of a model file of `size` bytes; `front` holds at least its header."""
    length = _header_length(front[:8], size, path)
    try:
        header = strict_json(front[8 : 8 + length].decode("utf-8"))
        metadata = header.pop("__metadata__")
        entries = sorted(_entry(name, value) for name, value in header.items())
        if not all(isinstance(v, str) for v in metadata.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{path} is not a model of vqc, or its header is damaged; get the file again") from None
    end = 0
    for entry in sorted(entries, key=lambda e: (e.start, e.stop)):
        if entry.start != end or entry.stop - entry.start != math.prod(entry.shape) * DTYPE_BYTES[entry.dtype]:
            raise CheckpointError(f"tensor {entry.name!r} of {path} is misplaced; the file is damaged, get it again")
        end = entry.stop
    if 8 + length + end != size:
        raise CheckpointError(
            f"{path} has {size} bytes where its header promises {8 + length + end}; it is cut short or damaged"
        )
    return Header(metadata, tuple(entries), 8 + length)


def info_from_header(header: Header, size: int, path: Path) -> ModelInfo:
    """The description in the metadata, after its checksum has been compared."""
    metadata = header.metadata
    if metadata.get("format") != FORMAT:
        found = shortened(metadata.get("format"))
        raise CheckpointError(f"{path} is a safetensors file but not a model of vqc (its format is {found})")
    if metadata.get("check") != checksum(metadata):
        raise CheckpointError(f"the description in {path} does not match its checksum; get the file again")
    try:
        described = strict_json(metadata["info"])
        check_description(described)
        if not is_digest(metadata["digest"]):
            raise ValueError(f"the digest is {shortened(metadata['digest'])}")
    except (UnknownFieldError, KeyError, TypeError):
        raise CheckpointError(
            f"the description in {path} is not one this version of vqc can read; update vqc"
        ) from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the description in {path} cannot be right: {error}; get the file again") from None
    return ModelInfo(**described, digest=metadata["digest"], bytes=size, path=path)


def checksum(metadata: Mapping[str, str]) -> str:
    """CRC-32 of the other three strings, 8 hex digits."""
    text = "\n".join(metadata.get(key, "") for key in ("format", "info", "digest"))
    return f"{zlib.crc32(text.encode()):08x}"


def digest_of(
    kind: str, config: Mapping[str, Any], tensors: Iterable[StoredTensor], prior: Mapping[str, Any] | None = None
) -> str:
    """SHA-256 over kind, canonical config and every tensor's name, dtype, shape and bytes, in order of name.

    Kind and config of a prior come after those of the model. Tensors of a likelihood or a sharp decoder are left out.
    """
    described = [kind, config] if prior is None else [kind, config, prior["kind"], prior["config"]]
    return _digest(described, (t for t in tensors if not t.name.startswith((LIKELIHOOD, SHARP))))


def sharp_digest_of(tensors: Iterable[StoredTensor]) -> str:
    """SHA-256 over the tensors of a sharp decoder, the others being left out."""
    return _digest([], (t for t in tensors if t.name.startswith(SHARP)))


def _digest(described: Sequence[Any], tensors: Iterable[StoredTensor]) -> str:
    digest = hashlib.sha256(canonical_json(described).encode())
    for name, dtype, shape, data in sorted(tensors, key=_name):
        digest.update(canonical_json([name, dtype, list(shape)]).encode())
        digest.update(data)
    return digest.hexdigest()


def _name(tensor: StoredTensor) -> str:
    return tensor.name


def _header_length(start: bytes, size: int, path: Path) -> int:
    if len(start) < 8:
        raise CheckpointError(f"{path} is too short to be a model; get the file again")
    length = int.from_bytes(start, "little")
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise CheckpointError(f"{path} is not a model of vqc (or it is cut short); expected a .safetensors model file")
    return length


def _entry(name: str, value: Mapping[str, Any]) -> TensorEntry:
    dtype, shape, (start, stop) = value["dtype"], value["shape"], value["data_offsets"]
    numbers = all(type(n) is int and 0 <= n < 1 << 62 for n in (*shape, start, stop))
    if dtype not in DTYPE_BYTES or not numbers or len(shape) > 8 or len(name) > 200 or not name.isprintable():
        raise ValueError
    return TensorEntry(name, dtype, tuple(shape), start, stop)
