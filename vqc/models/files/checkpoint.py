"""Models to files and back: one safetensors file holds the weights, the config and where they came from.

Torch is imported when weights are read or written, not before: `read_info` is for commands that must be quick.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from vqc.atomic import write_atomically
from vqc.errors import CheckpointError
from vqc.models.config import canonical_json, config_to_dict
from vqc.models.files.header import (
    FORMAT,
    ModelInfo,
    checksum,
    digest_of,
    info_from_header,
    opened_model,
    parse_header,
    read_header,
    read_info,
    stored_tensors,
)
from vqc.models.files.tensors import StoredTensor, TensorEntry, digest_tensors
from vqc.models.parts import PARTS, part_of, state_name, stored_name

if TYPE_CHECKING:
    from torch import Tensor

    from vqc.models.base import CodecModel

__all__ = ["LoadedModel", "ModelInfo", "load_checkpoint", "read_info", "save_again", "save_checkpoint"]

SAFETENSORS_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "uint16": "U16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
Entry = TypeVar("Entry", TensorEntry, StoredTensor)
DTYPES = {short: name for name, short in SAFETENSORS_NAMES.items()}
Precision = Literal["float32", "float16", "int8"]  # of weights in a file: see `save_checkpoint`


class LoadedModel(NamedTuple):
    """A model ready for use and the description of its file."""

    model: CodecModel  # evaluation mode, float32, on the device asked for
    info: ModelInfo

    def __repr__(self) -> str:
        info = self.info
        qualities = f"qualities 1 to {info.qualities}" if info.qualities > 1 else "one quality"
        return f"<model {info.name} for {info.media}: {info.parameters:,} parameters, {qualities}, {info.digest[:12]}>"


def save_checkpoint(
    path: str | os.PathLike[str],
    model: CodecModel,
    *,
    name: str,
    training: Mapping[str, Any],
    figures: Mapping[str, Any],
    weights: Precision = "float32",
    packed: bool = True,
    parts: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    history: Mapping[str, Any] | None = None,
) -> str:
    """Write a model file and return its digest (hex).

    With ``weights="float16"`` float tensors are stored in half the bytes, except those under the model's
    `float32_tensors`; with "int8" also those under its `int8_tensors` in a quarter (`vqc.models.files.eight_bits`).
    Reading makes them float32 again. The digest is of what is stored, so whoever measures or compresses with the model
    must first load the file. The model is saved `for_export`, and state that only training needs is left out. Parts go
    into the same file: a prior in its integers, others as the weights. The file appears whole or not at all.

    Args:
        packed: store static tables in their short form, as files of today do.
        parts: `training` and `figures` of the parts that the model has, by `Part.name`.
        history: curves of the training run, [[step, value], …] each.

    Raises:
        CheckpointError: a weight is not finite, or cannot be stored in float16.
    """
    from safetensors.torch import save

    model = model.for_export()
    exported = _exported(model)
    tensors = _shortened(model, exported, weights, packed)
    stored = [_as_stored(key, tensor) for key, tensor in tensors.items()]
    config = config_to_dict(model.config)
    described: dict[str, Any] = {}  # by `Part.name`
    for part in PARTS:
        if (own := part.of(model)) is not None:
            told = {key: dict(parts.get(part.name, {}).get(key, {})) for key in part.told}
            described[part.name] = part.describe(own, [t for t in stored if part_of(t.name) is part]) | told
    info: dict[str, Any] = {
        "name": name,
        "kind": model.kind,
        "media": model.media,
        "config": config,
        "qualities": model.qualities,
        "default_quality": model.default_quality,
        "parameters": sum(t.numel() for key, t in exported.items() if t.is_floating_point() and not part_of(key)),
        "training": dict(training),
        "figures": dict(figures),
        **described,
    }
    info |= {"history": dict(history)} if history else {}
    digest = digest_of(model.kind, config, stored, described)
    metadata = {"format": FORMAT, "info": canonical_json(info), "digest": digest}
    write_atomically(path, save(tensors, metadata | {"check": checksum(metadata)}), overwrite=True)
    return digest


def save_again(
    path: str | os.PathLike[str],
    loaded: LoadedModel,
    *,
    name: str,
    parts: Mapping[str, Mapping[str, Any]],
    weights: Precision | None = None,
) -> str:
    """Write a model that was read and has been given another part, say a prior; returns its digest.

    What `parts` does not tell stays as the file says, and so do the bytes of the weights unless `weights` is given.
    """
    info = loaded.info
    precision, packed = how_stored(info.path)
    return save_checkpoint(
        path,
        loaded.model,
        name=name,
        training=info.training,
        figures=info.figures,
        weights=weights or precision,
        packed=packed,
        parts={part.name: {**info.parts.get(part.name, {}), **parts.get(part.name, {})} for part in PARTS},
        history=info.history,
    )


def how_stored(path: Path) -> tuple[Precision, bool]:
    """Precision in which a model file holds its weights, and whether its static tables are in their short form."""
    from vqc.models.files.eight_bits import SCALES

    with opened_model(path) as file:
        header = read_header(file, os.fstat(file.fileno()).st_size, path)
    types = {t.dtype for t in header.tensors}
    if any(t.name.endswith(SCALES) for t in header.tensors):
        return "int8", "U16" in types
    return "float16" if "F16" in types else "float32", "U16" in types


def in_eight_bits(model: CodecModel, tensors: Mapping[str, Tensor]) -> set[str]:
    """Names of those of a model's tensors that a file with `weights="int8"` holds in eight bits."""
    from vqc.models.files.eight_bits import is_packable

    return {name for name, t in tensors.items() if name.startswith(model.int8_tensors) and is_packable(t)}


def load_checkpoint(path: str | os.PathLike[str], device: str = "cpu", *, without: tuple[str, ...] = ()) -> LoadedModel:
    """Read a model file; CheckpointError when it is damaged, or its tensors do not belong to its config.

    Args:
        without: parts, by `Part.name`, that the model is not to have though the file does; its digest is checked with
            them.
    """
    from vqc.models.files import eight_bits, static_tables

    path = Path(path)
    with opened_model(path) as file:
        size = os.fstat(file.fileno()).st_size
        header = read_header(file, size, path)
        info = info_from_header(header, size, path)
        model = build_described(info, without)  # before the tensors are read: a file of another sort costs no memory
        active = model.active_entries()
        entries = eight_bits.as_unpacked(_only(header.tensors, without))
        entries = [static_tables.as_unpacked(entry, active) for entry in entries]
        check_tensors(_exported(model), entries, str(path))
        data = mmap(file.fileno(), size, access=ACCESS_COPY)  # can be written, which changes no file
    stored = stored_tensors(parse_header(data, size, path), data)  # again: the file may have changed since
    _check_digests(info, stored)
    tensors = eight_bits.unpack_all({tensor.name: _tensor_of(tensor) for tensor in _only(stored, without)})
    tensors[static_tables.NAME] = static_tables.unpack(tensors[static_tables.NAME], active)
    fill_model(model, tensors, str(path))
    model = model.eval().requires_grad_(False)
    return LoadedModel(model if device == "cpu" else model.to(device), info)


def _only(tensors: Sequence[Entry], without: tuple[str, ...]) -> list[Entry]:
    """The tensors that do not belong to these parts."""
    prefixes = tuple(part.prefix for part in PARTS if part.name in without)
    return [tensor for tensor in tensors if not tensor.name.startswith(prefixes)]


def build_described(info: ModelInfo, without: tuple[str, ...] = ()) -> CodecModel:
    """An untrained model with the parts that a description asks for, but for some.

    CheckpointError: there is none such, or it would be far larger than the file.
    """
    from vqc.models.files.budget import Budget, BudgetError

    try:
        with Budget(info.bytes):
            return _built(info, info.path, without)
    except BudgetError as error:
        raise CheckpointError(f"the config of {info.path} cannot be used: {error}") from None


def _built(info: ModelInfo, path: Path, without: tuple[str, ...]) -> CodecModel:
    from vqc.models.kinds import build_model

    model = build_model(info.kind, info.config, where=str(path))
    said = (info.media, info.qualities, info.default_quality)
    if said != (model.media, model.qualities, model.default_quality):
        raise CheckpointError(f"the description in {path} has another medium or other qualities than its config")
    for part in PARTS:
        if part.name in info.parts and part.name not in without:
            part.attach(model, part.build(info.parts[part.name], model, f"the {part.title} in {path}"))
    return model


def _check_digests(info: ModelInfo, stored: list[StoredTensor]) -> None:
    if digest_of(info.kind, info.config, stored, info.parts) != info.digest:
        raise CheckpointError(
            f"the weights in {info.path} do not match their digest; the file is damaged, get it again"
        )
    for part in PARTS:  # those that the digest leaves out may have one of their own
        expected = info.parts.get(part.name, {}).get("digest")
        if expected is not None and digest_tensors([], (t for t in stored if part_of(t.name) is part)) != expected:
            raise CheckpointError(
                f"the {part.title} in {info.path} does not match its digest; the file is damaged, get it again"
            )


def check_tensors(own: Mapping[str, Tensor], entries: Sequence[TensorEntry], where: str) -> None:
    """CheckpointError names the first tensor of a file that is missing, extra, misshapen or of another type."""
    stored = {entry.name: entry for entry in entries}
    for name, tensor in own.items():
        if name not in stored:
            raise CheckpointError(f"{where} lacks the tensor {name!r}, which its config asks for; get the file again")
        found, wanted = stored[name], tuple(tensor.shape)
        if found.shape != wanted:
            raise CheckpointError(
                f"tensor {name!r} of {where} has shape {list(found.shape)}, its config asks for {list(wanted)}"
            )
        if not _is_stored_as(tensor, found.dtype):
            raise CheckpointError(f"tensor {name!r} of {where} has type {found.dtype}, which is not one for it")
    if extra := sorted(set(stored) - set(own)):
        raise CheckpointError(f"{where} holds the tensor {extra[0]!r}, which its config does not ask for")


def fill_model(model: CodecModel, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give a model tensors that `check_tensors` has passed; CheckpointError when no codec can work with them.

    Those that have the model's own type are used as they are, not copied.
    """
    own = _exported(model)
    converted = {name: t.to(own[name].dtype) for name, t in tensors.items()}
    for name, tensor in converted.items():
        if tensor.is_floating_point() and not _is_finite(tensor):
            raise CheckpointError(f"tensor {name!r} of {where} has values that are not finite; get the file again")
    model.load_state_dict({state_name(name): t for name, t in converted.items()}, strict=False, assign=True)
    _fill_training_state(model)
    try:
        model.check_static_tables()
    except ValueError as error:
        raise CheckpointError(f"{error} in {where}; get the file again") from None
    if model.prior is not None:
        try:
            model.prior.check_bounds()
        except OverflowError as error:
            raise CheckpointError(f"the prior in {where} would not be exact: {error}") from None
        model.prior.prepare(model)


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are finite: their sum tells it at once, unless it is too large itself."""
    return math.isfinite(float(tensor.sum())) or bool(tensor.isfinite().all())


def _fill_training_state(model: CodecModel) -> None:
    """Make what serves training alone zero, where it was built without memory: files do not hold it."""
    import torch

    for module in model.modules():
        for name, tensor in module.named_buffers(recurse=False):
            if tensor.is_meta:
                module.register_buffer(name, torch.zeros(tensor.shape, dtype=tensor.dtype))


def _exported(model: CodecModel) -> dict[str, Tensor]:
    """All parameters and persistent buffers but those which serve training alone, by their names in files."""
    from vqc.models.base import TRAINING_STATE_PREFIX

    state = {stored_name(name): tensor for name, tensor in model.state_dict().items()}
    return {k: t for k, t in state.items() if not k.rpartition(".")[2].startswith(TRAINING_STATE_PREFIX)}


def _is_stored_as(tensor: Tensor, dtype: str) -> bool:
    """Whether files may have a tensor of the model in this type: floats in any of floats, integers in their own."""
    if tensor.is_floating_point():
        return dtype.startswith("F")
    return dtype == SAFETENSORS_NAMES[str(tensor.dtype).removeprefix("torch.")]


def _tensor_of(stored: StoredTensor) -> Tensor:
    """A tensor that lies where it is stored."""
    import torch

    if not stored.data:
        return torch.empty(stored.shape, dtype=getattr(torch, DTYPES[stored.dtype]))
    return torch.frombuffer(stored.data, dtype=getattr(torch, DTYPES[stored.dtype])).view(stored.shape)


def _shortened(
    model: CodecModel, exported: Mapping[str, Tensor], weights: Precision, packed: bool
) -> dict[str, Tensor]:
    """The exported tensors of a model in the types in which a file holds them."""
    from vqc.models.files.eight_bits import pack_all
    from vqc.models.files.static_tables import NAME, pack

    short = in_eight_bits(model, exported) if weights == "int8" else set()
    tensors = {key: _as_weights(key, t, model, "float32" if key in short else weights) for key, t in exported.items()}
    if packed:
        tensors[NAME] = pack(tensors[NAME], model.active_entries())
    return pack_all(tensors, short)


def _as_weights(name: str, tensor: Tensor, model: CodecModel, weights: Precision) -> Tensor:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        part = part_of(name)
        exact = name.startswith(model.float32_tensors) or (part is not None and part.in_digest)
        if weights != "float32" and not exact:
            tensor = tensor.half()
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"tensor {name!r} is not finite as {tensor.dtype}; the model was not saved")
    return tensor.contiguous().clone()


def _as_stored(name: str, tensor: Tensor) -> StoredTensor:
    array = tensor.numpy()
    return StoredTensor(name, SAFETENSORS_NAMES[array.dtype.name], tuple(tensor.shape), array.tobytes())
