"""The header of a model file, read without torch.

A model file is a safetensors file: an 8-byte little-endian length, that many bytes of JSON which place every tensor,
then the tensors (tables of frequencies: `vqc.models.files.static_tables`; weights in eight bits:
`vqc.models.files.eight_bits`). Its ``__metadata__`` holds strings, ours are::

    format   "vqc-model-1"
    info     canonical JSON: name, kind, media, config, qualities, default_quality, parameters, training, figures,
             prior (if there is one: kind, config, parameters, training, figures; its tensors begin with "prior."),
             likelihood (config and training, if there is one; its tensors begin with "likelihood."),
             sharp (if there is a perceptual decoder: parameters, training, figures and a SHA-256 of its tensors, which
             begin with "sharp."),
             history (curves of the training run)
    digest   SHA-256 over kind, config and tensors, also those of the prior: what a .vqc file names its model by.
             A likelihood and a perceptual decoder are left out, as they decide about no byte of a file
    check    CRC-32 of format, info and digest, so that damage outside the tensors shows too
"""

from __future__ import annotations

import math
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, NamedTuple

from vqc.errors import CheckpointError
from vqc.models.files.description import UnknownFieldError, check_description, is_digest, shortened, strict_json
from vqc.models.files.first_digests import FIRST_DIGESTS
from vqc.models.files.tensors import StoredTensor, TensorEntry, digest_tensors
from vqc.models.parts import LIKELIHOOD, PARTS, PERCEPTUAL, PRIOR, part_of

FORMAT = "vqc-model-1"
MAX_HEADER_BYTES = 4 << 20
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}


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
    config: Mapping[str, Any] = field(repr=False)
    digest: str  # SHA-256, 64 hex digits
    qualities: int
    default_quality: int
    parameters: int  # trained weights and codebook entries
    bytes: int  # size of the file
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)  # data, steps, seed, version
    figures: Mapping[str, Any] = field(default_factory=dict, repr=False)  # validation figures, rates
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)  # see `Part.fields`
    history: Mapping[str, Any] = field(default_factory=dict, repr=False)  # curve → [[step, value], …]
    path: Path

    @property
    def prior(self) -> Mapping[str, Any] | None:
        """Kind, config, parameters, training, figures."""
        return self.parts.get(PRIOR.name)

    @property
    def likelihood(self) -> Mapping[str, Any] | None:
        """Config, training."""
        return self.parts.get(LIKELIHOOD.name)

    @property
    def perceptual(self) -> Mapping[str, Any] | None:
        """Digest, parameters, training, figures."""
        return self.parts.get(PERCEPTUAL.name)


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


def parse_header(front: bytes | mmap, size: int, path: Path) -> Header:
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
    told = {part.name: described.pop(part.name, None) for part in PARTS}
    parts = {name: own for name, own in told.items() if own is not None}
    return ModelInfo(**described, parts=parts, digest=metadata["digest"], bytes=size, path=path)


def checksum(metadata: Mapping[str, str]) -> str:
    """CRC-32 of the other three strings, 8 hex digits."""
    text = "\n".join(metadata.get(key, "") for key in ("format", "info", "digest"))
    return f"{zlib.crc32(text.encode()):08x}"


def digest_of(
    kind: str,
    config: Mapping[str, Any],
    tensors: Iterable[StoredTensor],
    parts: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> str:
    """SHA-256 (hex) over kind, canonical config and tensors, and over those of parts that decide about bytes of files.

    Of the models of `FIRST_DIGESTS` it is the one that files name them by.

    Args:
        parts: descriptions of parts by their names in model files.
    """
    counted = [part for part in PARTS if part.in_digest]
    described = [kind, config]
    for part in counted:
        if part.name in parts:
            described += [parts[part.name]["kind"], parts[part.name]["config"]]
    found = digest_tensors(described, (t for t in tensors if part_of(t.name) in (None, *counted)))
    return FIRST_DIGESTS.get(found, found)


def codec_digest(path: Path) -> str:
    """The digest (hex) of a model file as it would be without its parts: that of the codes it makes."""
    data = path.read_bytes()
    header = parse_header(data, len(data), path)
    info = info_from_header(header, len(data), path)
    return digest_of(info.kind, info.config, (t for t in stored_tensors(header, data) if part_of(t.name) is None))


def stored_tensors(header: Header, data: bytes | mmap) -> list[StoredTensor]:
    """The tensors of a model file that is in memory, without a copy."""
    body = memoryview(data)[header.data_start :]
    return [StoredTensor(t.name, t.dtype, t.shape, body[t.start : t.stop]) for t in header.tensors]


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
