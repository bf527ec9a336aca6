"""Audio in the manner of the package `soundfile`: `samples, rate = vqc.read("clip.vqc")` and `vqc.write(...)`."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from vqc.atomic import check_target, path_of, write_atomically
from vqc.codec.api import compress, decompress
from vqc.codec.inspect.verify import read_vqc
from vqc.codec.media import Audio
from vqc.codec.open import Model
from vqc.codec.rate import Rate
from vqc.errors import MediaError

SampleType = Literal["float32", "float64", "int16", "int32"]
_STEPS = {"int16": 2**15, "int32": 2**31}


def read(
    file: str | os.PathLike[str] | BinaryIO,
    *,
    dtype: SampleType = "float32",
    always_2d: bool = False,
    sharp: bool = False,
    device: str = "auto",
    limit: int | None = None,
) -> tuple[NDArray[Any], int]:
    """Read the samples of a `.vqc` file, and the number of them per second.

    They are an array [T] of one channel, [T, C] of several; floats are in [-1, 1].

    Args:
        file: path, or a file, open for reading.
        dtype: "float32", "float64", "int16" or "int32".
        always_2d: give [T, 1] for one channel as well.
        sharp: restore with the model's sharp decoder.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of samples per channel to believe; see `vqc.decompress`.

    Raises:
        MediaError: the file cannot be read, or is an image.
        ContainerError, ModelNotFoundError, OptionError: as `vqc.decompress`.
    """
    restored = decompress(read_vqc(file), sharp=sharp, device=device, limit=limit)
    if not isinstance(restored, Audio):
        raise MediaError("the .vqc file holds an image; restore it with vqc.decompress, or open it with Pillow")
    return as_type(restored.samples, dtype, always_2d=always_2d), restored.sample_rate


def as_type(samples: NDArray[Any], dtype: SampleType, *, always_2d: bool) -> NDArray[Any]:
    """Samples [T, C] in [-1, 1] as soundfile gives them: of a type, and [T] of one channel unless always [T, C]."""
    if dtype in _STEPS:
        steps = _STEPS[dtype]
        samples = np.clip(np.rint(samples.astype(np.float64) * steps), -steps, steps - 1)
    samples = samples.astype(dtype, copy=False)
    return samples[:, 0] if samples.shape[1] == 1 and not always_2d else samples


def write(
    file: str | os.PathLike[str] | BinaryIO,
    samples: NDArray[Any],
    sample_rate: int,
    *,
    quality: float | None = None,
    rate: Rate | None = None,
    model: Model = None,
    entropy: str = "auto",
    device: str = "auto",
    overwrite: bool = False,
) -> None:
    """Write samples to a `.vqc` file.

    Args:
        file: path, which appears whole or not at all, or a file, open for writing.
        samples: [T] or [T, C], float in [-1, 1] or int16.
        sample_rate: samples per second, 1,000 to 1,000,000.
        quality: 1 (smallest) up to the model's `qualities` (best); by default the model's own choice. May lie between.
        rate: effort, or a size that the file is to have instead of a quality.
        model: name or path of a model, or what `load_model` gave; by default the one for audio.
        entropy: "auto" (the smallest of the others), "prior", "static" or "none".
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.
        overwrite: whether a file that exists may be replaced. soundfile does so unasked.

    Raises:
        MediaError, OptionError, ModelNotFoundError, CheckpointError: as `vqc.compress`.
        OutputError: the file cannot be written, or exists.
    """
    with path_of(file) as path:
        check_target(path, overwrite=overwrite)
        options: dict[str, Any] = {"quality": quality, "rate": rate, "model": model, "entropy": entropy}
        write_atomically(
            path, compress(samples, sample_rate=sample_rate, device=device, **options), overwrite=overwrite
        )
