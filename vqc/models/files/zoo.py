"""The models at hand: those inside the package, then those in the user's model folder.

No torch at import, so that commands which only describe or check files stay quick.
"""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.atomic import write_atomically
from vqc.errors import (
    CheckpointError,
    ModelNameError,
    ModelNotFoundError,
    ModelWarning,
    OutputError,
    did_you_mean,
)
from vqc.models.files.description import is_model_name
from vqc.models.files.header import ModelInfo, read_info
from vqc.user_folders import user_models

if TYPE_CHECKING:
    from vqc.models.files.checkpoint import LoadedModel

SUFFIX = ".safetensors"
BUNDLED_FOLDER = Path(__file__).resolve().parent.parent.parent / "weights"


def list_models() -> list[ModelInfo]:
    """All models, bundled ones first, each folder sorted by file name.

    Files which are not models are left out, with a `ModelWarning`.
    """
    models = []
    for path in _model_files():
        try:
            models.append(_info_of(path, *_stamp(path)))
        except CheckpointError as error:
            _warn_left_out(error)
    return models


@lru_cache(maxsize=256)
def _info_of(path: Path, size: int, changed: int) -> ModelInfo:
    """`read_info`, once for each state of a file."""
    return read_info(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0  # reading it will say why
    return state.st_size, state.st_mtime_ns


def find_by_name(name_or_path: str | os.PathLike[str]) -> ModelInfo:
    """The model with this name, or in this file.

    Anything with a folder separator or the suffix ``.safetensors`` is a path. ModelNameError: no such model;
    CheckpointError: the file is not a model.
    """
    return _named(name_or_path)[0]


def _named(name_or_path: str | os.PathLike[str]) -> list[ModelInfo]:
    """The models that are meant by this, best first."""
    text = os.fspath(name_or_path)
    if text.endswith(SUFFIX) or "/" in text or os.sep in text:
        if not Path(text).is_file():
            raise ModelNameError(f"there is no model file {text}; check the path")
        return [read_info(text)]
    models = list_models()
    if found := [info for info in models if info.name == text]:
        return found
    names = [info.name for info in models]
    raise ModelNameError(f"there is no model {text!r}{did_you_mean(text, names)}; models at hand: {', '.join(names)}")


def find_by_digest(prefix: bytes, *, perceptual: bool = False) -> ModelInfo:
    """The model whose digest begins with these bytes; ModelNotFoundError names the digest and the models at hand.

    With `perceptual`, of several that differ in this alone, the first with a perceptual decoder.
    """
    return _with_digest(prefix, perceptual)[0]


def _with_digest(prefix: bytes, perceptual: bool) -> list[ModelInfo]:
    models = list_models()
    found = [info for info in models if bytes.fromhex(info.digest).startswith(prefix)]
    if found:
        return sorted(found, key=lambda info: perceptual and info.perceptual is None)
    raise ModelNotFoundError(
        f"the file was made with the model {prefix.hex()}, which is not here ({_known(models)}); "
        f"get its {SUFFIX} file and run: vqc models add FILE"
    )


def add_model(source: str | os.PathLike[str], *, replace: bool = False) -> ModelInfo:
    """Copy a model file into the user's folder, as NAME.safetensors, once its weights are found to match its digest.

    CheckpointError: the file is no model, or damaged. OutputError: another model has that name, or the folder cannot be
    written.
    """
    from vqc.models.files.checkpoint import load_checkpoint

    info = load_checkpoint(source).info
    for other in list_models():
        if (other.name, other.digest, other.perceptual) == (info.name, info.digest, info.perceptual):
            return other
    check_name_is_free(info.name, replace=replace)
    target = user_models() / f"{info.name}{SUFFIX}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, Path(source).read_bytes(), overwrite=replace)
    return read_info(target)


def remove_model(name: str) -> ModelInfo:
    """Remove a model from the user's folder; returns what it was.

    ModelNameError: no such model. OutputError: it is bundled, lies elsewhere, or its file cannot be removed.
    """
    info = find_by_name(name)
    if info.path.parent == BUNDLED_FOLDER:
        raise OutputError(f"the model {info.name} belongs to vqc and stays; only models that were added can be removed")
    if info.path.parent.resolve() != user_models().resolve():
        raise OutputError(f"{info.path} is not among the models that were added; remove the file yourself")
    try:
        info.path.unlink()
    except OSError as error:
        raise OutputError(f"{info.path}: cannot be removed: {error.strerror or error}") from None
    return info


def check_name_is_free(name: str, *, replace: bool = False) -> None:
    """OutputError when a model has this name already; with `replace` only when it is a bundled one."""
    if not is_model_name(name):
        raise OutputError(f"the model's name {name!r} cannot be the name of a file; train with another --name")
    for other in list_models():
        if other.name == name and other.path.parent == BUNDLED_FOLDER:
            raise OutputError(f"{name!r} is the name of a bundled model; train with another --name")
        if other.name == name and not replace:
            raise OutputError(
                f"another model is called {name!r} already ({other.digest[:12]}); give --force to replace it"
            )


def load_model(
    name_or_path: str | os.PathLike[str], device: str = "cpu", *, without: tuple[str, ...] = ()
) -> LoadedModel:
    """The model with this name or in this file, ready for use; a model already loaded is not read again.

    Args:
        without: parts that it need not have, by `Part.name`: not building them saves time.
    """
    return _load(_named(name_or_path), device, without)


def load_model_by_digest(prefix: bytes, device: str = "cpu", *, perceptual: bool = False) -> LoadedModel:
    """The model whose digest begins with these bytes, with what restoring takes; see `find_by_digest`."""
    without = ("likelihood",) if perceptual else ("likelihood", "sharp")
    return _load(_with_digest(prefix, perceptual), device, without)


def _load(found: list[ModelInfo], device: str, without: tuple[str, ...]) -> LoadedModel:
    """Load the first that can be read: a damaged file does not hide another that is as good."""
    for info in found[:-1]:
        try:
            return _load_once(info, device, without)
        except CheckpointError as error:
            _warn_left_out(error)
    return _load_once(found[-1], device, without)


def _warn_left_out(error: CheckpointError) -> None:
    warnings.warn(ModelWarning(f"left out of the models: {error}"), stacklevel=3)


def _load_once(info: ModelInfo, device: str, without: tuple[str, ...]) -> LoadedModel:
    without = tuple(name for name in without if name in info.parts)
    return _load_state(info.path, info.digest, (info.perceptual or {}).get("digest", ""), device, without)


@lru_cache(maxsize=8)
def _load_state(path: Path, digest: str, perceptual_digest: str, device: str, without: tuple[str, ...]) -> LoadedModel:
    from vqc.models.files.checkpoint import load_checkpoint

    return load_checkpoint(path, device, without=without)


def _model_files() -> list[Path]:
    folders = [folder for folder in (BUNDLED_FOLDER, user_models()) if folder.is_dir()]
    return [path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))]


def _known(models: list[ModelInfo]) -> str:
    names = ", ".join(f"{info.name} ({info.digest[:12]})" for info in models)
    return f"models at hand: {names}" if names else "no models are installed"
