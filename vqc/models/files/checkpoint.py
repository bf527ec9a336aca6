"""Models to files and back: one safetensors file holds the weights, the config and where they came from.

Torch is imported when weights are read or written, not before: `read_info` is for commands that must be quick.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vqc.atomic import write_atomically
from vqc.errors import CheckpointError
from vqc.models.config import canonical_json, config_from_dict, config_to_dict
from vqc.models.files.header import (
    FORMAT,
    LIKELIHOOD,
    SHARP,
    Header,
    ModelInfo,
    StoredTensor,
    TensorEntry,
    checksum,
    digest_of,
    info_from_header,
    opened_model,
    parse_header,
    read_header,
    read_info,
    sharp_digest_of,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vqc.models.base import CodecModel
    from vqc.models.likelihood import Likelihood
    from vqc.models.prior import CodePrior

__all__ = ["LoadedModel", "ModelInfo", "load_checkpoint", "read_info", "save_again", "save_checkpoint"]

SAFETENSORS_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


_PRIOR = "prior."  # what the names of its tensors begin with


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
    weights: Literal["float32", "float16"] = "float32",
    prior_training: Mapping[str, Any] | None = None,
    prior_figures: Mapping[str, Any] | None = None,
    likelihood_training: Mapping[str, Any] | None = None,
    sharp_training: Mapping[str, Any] | None = None,
    sharp_figures: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
) -> str:
    """Write a model file and return its digest (hex).

    With ``weights="float16"`` float tensors are stored in half the bytes, except those under the model's
    `float32_tensors`; reading makes them float32 again. The digest is of what is stored, so whoever measures or
    compresses with the model must first load the file. The model is saved `finalised`, and state that only training
    needs is left out. A prior goes into the same file, as the smallest integers that hold it, a likelihood and
    a sharp decoder as the weights. `history` holds curves of the training run, [[step, value], …] each.
    The file appears whole or not at all. CheckpointError: a weight is not finite, or cannot be stored in float16.
    """
    from safetensors.torch import save

    model = model.finalised()
    tensors = {key: _stored(key, t, model, weights) for key, t in _exported(model).items()}
    config = config_to_dict(model.config)
    info: dict[str, Any] = {
        "name": name,
        "kind": model.kind,
        "media": model.media,
        "config": config,
        "qualities": model.qualities,
        "default_quality": model.default_quality,
        "parameters": sum(
            t.numel() for key, t in tensors.items() if t.is_floating_point() and not key.startswith((LIKELIHOOD, SHARP))
        ),
        "training": dict(training),
        "figures": dict(figures),
    }
    if model.prior is not None:
        info["prior"] = _prior_described(model.prior, tensors) | _told(prior_training, prior_figures)
    if model.likelihood is not None:
        info["likelihood"] = {
            "config": config_to_dict(model.likelihood.config),
            "training": dict(likelihood_training or {}),
        }
    if model.sharp is not None:
        info["sharp"] = _sharp_described(tensors) | _told(sharp_training, sharp_figures)
    if history:
        info["history"] = dict(history)
    digest = digest_of(model.kind, config, map(_as_stored, tensors.items()), info.get("prior"))
    metadata = {"format": FORMAT, "info": canonical_json(info), "digest": digest}
    write_atomically(path, save(tensors, metadata | {"check": checksum(metadata)}), overwrite=True)
    return digest


def _prior_described(prior: CodePrior, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"kind": prior.kind, "config": config_to_dict(prior.config), "parameters": _count(_PRIOR, tensors)}


def _sharp_described(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    own = {name: t for name, t in tensors.items() if name.startswith(SHARP)}
    return {"digest": sharp_digest_of(map(_as_stored, own.items())), "parameters": _count(SHARP, own)}


def _told(training: Mapping[str, Any] | None, figures: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"training": dict(training or {}), "figures": dict(figures or {})}


def _count(prefix: str, tensors: Mapping[str, Tensor]) -> int:
    return sum(t.numel() for name, t in tensors.items() if name.startswith(prefix))


def save_again(
    path: str | os.PathLike[str],
    loaded: LoadedModel,
    *,
    name: str,
    prior_training: Mapping[str, Any] | None = None,
    prior_figures: Mapping[str, Any] | None = None,
    likelihood_training: Mapping[str, Any] | None = None,
    sharp_training: Mapping[str, Any] | None = None,
    sharp_figures: Mapping[str, Any] | None = None,
) -> str:
    """Write a model that was read and has been given another part, say a prior; returns its digest.

    What is not given stays as the file says, and so do the bytes of the weights.
    """
    info = loaded.info
    prior, likelihood, sharp = info.prior or {}, info.likelihood or {}, info.sharp or {}
    return save_checkpoint(
        path,
        loaded.model,
        name=name,
        training=info.training,
        figures=info.figures,
        weights=stored_weights(info.path),
        prior_training=prior.get("training") if prior_training is None else prior_training,
        prior_figures=prior.get("figures") if prior_figures is None else prior_figures,
        likelihood_training=likelihood.get("training") if likelihood_training is None else likelihood_training,
        sharp_training=sharp.get("training") if sharp_training is None else sharp_training,
        sharp_figures=sharp.get("figures") if sharp_figures is None else sharp_figures,
        history=info.history,
    )


def stored_weights(path: Path) -> Literal["float16", "float32"]:
    """How a model file holds its weights."""
    data = path.read_bytes()
    header = parse_header(data, len(data), path)
    return "float16" if any(t.dtype == "F16" for t in header.tensors) else "float32"


def load_checkpoint(path: str | os.PathLike[str], device: str = "cpu") -> LoadedModel:
    """Read a model file; CheckpointError when it is damaged, or its tensors do not belong to its config."""
    from safetensors.torch import load

    path = Path(path)
    with opened_model(path) as file:
        size = os.fstat(file.fileno()).st_size
        header = read_header(file, size, path)
        info = info_from_header(header, size, path)
        model = build_described(info)
        check_tensors(_exported(model), header.tensors, str(path))
        file.seek(0)
        data = file.read(size)
    _check_digests(info, parse_header(data, len(data), path), data)
    fill_model(model, load(data), str(path))
    return LoadedModel(model.eval().requires_grad_(False).to(device), info)


def build_described(info: ModelInfo) -> CodecModel:
    """An untrained model with all the parts that a description asks for.

    CheckpointError: there is none such, or it would be far larger than the file.
    """
    from vqc.models.files.budget import Budget, BudgetError

    try:
        with Budget(info.bytes):
            return _built(info, info.path)
    except BudgetError as error:
        raise CheckpointError(f"the config of {info.path} cannot be used: {error}") from None


def _built(info: ModelInfo, path: Path) -> CodecModel:
    from vqc.models.kinds import build_model, build_prior

    model = build_model(info.kind, info.config, where=str(path))
    said = (info.media, info.qualities, info.default_quality)
    if said != (model.media, model.qualities, model.default_quality):
        raise CheckpointError(f"the description in {path} has another medium or other qualities than its config")
    if info.prior is not None:
        prior = build_prior(info.prior["kind"], info.prior["config"], model, where=f"the prior in {path}")
        prior.quantize_(check=False)  # `fill_model` proves what it fills in
        model.attach_prior(prior)
    if info.likelihood is not None:
        model.likelihood = build_likelihood(info.likelihood, model, path)
    if info.sharp is not None:
        model.attach_sharp(build_sharp(model, path))
    return model


def _check_digests(info: ModelInfo, header: Header, data: bytes) -> None:
    path, body = info.path, memoryview(data)[header.data_start :]
    stored = [StoredTensor(t.name, t.dtype, t.shape, body[t.start : t.stop]) for t in header.tensors]
    if digest_of(info.kind, info.config, stored, info.prior) != info.digest:
        raise CheckpointError(f"the weights in {path} do not match their digest; the file is damaged, get it again")
    if info.sharp is not None and sharp_digest_of(stored) != info.sharp.get("digest"):
        raise CheckpointError(
            f"the sharp decoder in {path} does not match its digest; the file is damaged, get it again"
        )


def build_likelihood(described: Mapping[str, Any], model: CodecModel, path: Path) -> Likelihood:
    """That which a file describes, unfitted; CheckpointError for a config that this version does not know."""
    from vqc.models.likelihood import Likelihood, LikelihoodConfig

    config = config_from_dict(LikelihoodConfig, described.get("config", {}), where=f"the likelihood in {path}")
    return Likelihood(config, model.media, model.qualities)


def build_sharp(model: CodecModel, path: Path) -> nn.Module:
    """A sharp decoder to be filled; CheckpointError when models of this kind can have none."""
    try:
        return model.make_sharp()
    except ValueError as error:
        raise CheckpointError(f"{path} holds what this version of vqc does not know: {error}") from None


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
        if found.dtype.startswith("F") != (tensor.is_floating_point() and not name.startswith(_PRIOR)):
            raise CheckpointError(f"tensor {name!r} of {where} has type {found.dtype}, which is not one for it")
    if extra := sorted(set(stored) - set(own)):
        raise CheckpointError(f"{where} holds the tensor {extra[0]!r}, which its config does not ask for")


def fill_model(model: CodecModel, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors that `check_tensors` has passed into a model; CheckpointError when no codec can work with them."""
    own = _exported(model)
    converted = {name: t.to(own[name].dtype) for name, t in tensors.items()}
    for name, tensor in converted.items():
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"tensor {name!r} of {where} has values that are not finite; get the file again")
    model.load_state_dict(converted, strict=False)
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


def _exported(model: CodecModel) -> dict[str, Tensor]:
    """All parameters and persistent buffers but those which serve training alone."""
    from vqc.models.base import TRAINING_STATE_PREFIX

    state = model.state_dict()
    return {k: t for k, t in state.items() if not k.rpartition(".")[2].startswith(TRAINING_STATE_PREFIX)}


def _stored(name: str, tensor: Tensor, model: CodecModel, weights: str) -> Tensor:
    tensor = tensor.detach().cpu()
    if name.startswith(_PRIOR):
        tensor = _smallest_integers(tensor)
    if tensor.is_floating_point():
        if weights == "float16" and not name.startswith(model.float32_tensors):
            tensor = tensor.half()
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"tensor {name!r} is not finite as {tensor.dtype}; the model was not saved")
    return tensor.contiguous().clone()


def _smallest_integers(tensor: Tensor) -> Tensor:
    """Integers that a fixed prior holds as floats."""
    import torch

    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    for dtype in (torch.int8, torch.int16, torch.int32):
        if largest <= torch.iinfo(dtype).max:
            return tensor.to(dtype)
    return tensor.to(torch.int64)


def _as_stored(item: tuple[str, Tensor]) -> StoredTensor:
    name, tensor = item
    array = tensor.numpy()
    return StoredTensor(name, SAFETENSORS_NAMES[array.dtype.name], tuple(tensor.shape), array.tobytes())
