"""Training sets in memory and their splits: CIFAR-10 in several wrappings, LibriSpeech trees, folders of files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image, UnidentifiedImageError

from vqc.errors import MediaError, TrainingError

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3")

CIFAR10_TEST_ROW = 3_000  # of the lossless rows, those from here on are never trained or tuned on
CIFAR10_VALIDATION_ROWS = 300  # the last ones before them
CIFAR10_BATCH_ROWS = 10_000  # of the official binary files


class Cifar10(NamedTuple):
    """CIFAR-10 images, uint8 [N, 3, 32, 32] each."""

    train: UInt8Array
    train_compressed: UInt8Array  # images that have gone through JPEG, may be empty
    validation: UInt8Array
    test: UInt8Array


def read_cifar10(folder: Path) -> Cifar10:
    """Read CIFAR-10 from a folder.

    It holds either the official binary files (``data_batch_1.bin`` … ``test_batch.bin``; validation is the last 1,000
    training images), or ``lossless_4000.npz`` (``images`` uint8 [4000, 32, 32, 3]) with, optionally,
    ``jpeg_train.zip``. TrainingError when neither is there.
    """
    if (folder / "test_batch.bin").is_file():
        train = np.concatenate([_cifar10_binary(folder / f"data_batch_{i}.bin") for i in range(1, 6)])
        test = _cifar10_binary(folder / "test_batch.bin")
        return Cifar10(train[:-1_000], train[:0], train[-1_000:], test)
    archive = folder / "lossless_4000.npz"
    if not archive.is_file():
        raise TrainingError(f"{folder} holds neither test_batch.bin nor lossless_4000.npz; give the CIFAR-10 folder")
    with np.load(archive, allow_pickle=False) as arrays:
        images = np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2))
    split = CIFAR10_TEST_ROW - CIFAR10_VALIDATION_ROWS
    extra = folder / "jpeg_train.zip"
    compressed = read_image_zip(extra) if extra.is_file() else images[:0]
    return Cifar10(images[:split], compressed, images[split:CIFAR10_TEST_ROW], images[CIFAR10_TEST_ROW:])


def read_image_zip(path: Path) -> UInt8Array:
    """All images of a zip file, sorted by name and of one size, uint8 [N, 3, H, W]."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith(IMAGE_SUFFIXES))
        return np.stack([_pixels(io.BytesIO(archive.read(name)), f"{path}:{name}") for name in names])


def read_image_folder(folder: Path) -> list[tuple[str, UInt8Array]]:
    """Every image below a folder with its relative name, sorted by name, uint8 [3, H, W] each."""
    return [(str(p.relative_to(folder)), _pixels(p, str(p))) for p in _files(folder, IMAGE_SUFFIXES)]


def hold_out(count: int, every: int) -> tuple[list[int], list[int]]:
    """Indices of training and of validation items, where each `every`-th item, from the first, is validation."""
    return [i for i in range(count) if i % every], list(range(0, count, every))


def audio_files(folder: Path) -> list[Path]:
    """Every audio file below a folder (a LibriSpeech tree has SPEAKER/CHAPTER/*.flac), sorted by path."""
    return _files(folder, AUDIO_SUFFIXES)


def read_utterances(paths: Iterable[Path], sample_rate: int) -> list[Float32Array]:
    """Mono waveforms float32 [T] in [-1, 1]; TrainingError when a file has another sample rate."""
    waveforms = []
    for path in paths:
        try:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise MediaError(f"cannot read the audio file {path}: {error}") from None
        if rate != sample_rate:
            raise TrainingError(f"{path} has {rate} samples a second, training needs {sample_rate}; resample it first")
        waveforms.append(samples.mean(axis=1))
    return waveforms


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    if not paths:
        raise TrainingError(f"{folder} holds no file with a suffix of {', '.join(suffixes)}; check the path")
    return paths


def _pixels(source: Path | io.BytesIO, name: str) -> UInt8Array:
    try:
        with Image.open(source) as image:
            return np.ascontiguousarray(np.asarray(image.convert("RGB"), dtype=np.uint8).transpose(2, 0, 1))
    except (UnidentifiedImageError, OSError) as error:
        raise MediaError(f"cannot read the image {name}: {error}") from None


def _cifar10_binary(path: Path) -> UInt8Array:
    row = 1 + 3 * 32 * 32  # label, then red, green and blue planes
    data = np.fromfile(path, dtype=np.uint8)
    if data.size != CIFAR10_BATCH_ROWS * row:
        raise TrainingError(
            f"{path} has {data.size} bytes, the official file has {CIFAR10_BATCH_ROWS * row}; get it again"
        )
    return data.reshape(-1, row)[:, 1:].reshape(-1, 3, 32, 32)
