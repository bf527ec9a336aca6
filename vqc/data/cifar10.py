"""CIFAR-10 from files on disk: the official binary ones, or a lossless part of it with more images as JPEG."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.data.data_source import Contents, DataItem, DataSource, Split
from vqc.data.image_files import read_image
from vqc.errors import MediaError, TrainingError

UInt8Array = NDArray[np.uint8]

TEST_ROW = 3_000  # of the lossless rows, those from here on are never trained or tuned on
VALIDATION_ROWS = 300  # the last ones before them
OFFICIAL_VALIDATION_ROWS = 1_000  # the last training images
BATCH_ROWS = 10_000  # of the official binary files
LOSSLESS_SHARE = 0.35  # of the images drawn: fewer in number than the compressed ones, but what a codec is for

OFFICIAL = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
LOSSLESS, COMPRESSED = "lossless_4000.npz", "jpeg_train.zip"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar10(NamedTuple):
    """CIFAR-10 images, uint8 [N, 3, 32, 32] each."""

    train: UInt8Array
    train_compressed: UInt8Array  # images that have gone through JPEG, may be empty
    validation: UInt8Array
    test: UInt8Array


class Cifar10Labels(NamedTuple):
    """Names of the classes of the images of `Cifar10`, in the same order; empty texts where a file tells none."""

    train: list[str]
    train_compressed: list[str]
    validation: list[str]
    test: list[str]


def is_cifar10(folder: Path) -> bool:
    """Return whether `read_cifar10` would take the folder."""
    return (folder / OFFICIAL[-1]).is_file() or (folder / LOSSLESS).is_file()


def read_cifar10(folder: Path) -> Cifar10:
    """Read CIFAR-10 from a folder.

    It holds either the official binary files (``data_batch_1.bin`` … ``test_batch.bin``; validation is the last 1,000
    training images), or ``lossless_4000.npz`` (``images`` uint8 [4000, 32, 32, 3]) with, optionally,
    ``jpeg_train.zip``. TrainingError when neither is there, or one of the files is not what its name says.
    """
    if (folder / OFFICIAL[-1]).is_file():
        *batches, test = (_official_file(folder / name) for name in OFFICIAL)
        train = np.concatenate(batches)
        split = len(train) - OFFICIAL_VALIDATION_ROWS
        return Cifar10(train[:split], train[:0], train[split:], test)
    if not (folder / LOSSLESS).is_file():
        raise TrainingError(f"{folder} holds neither {OFFICIAL[-1]} nor {LOSSLESS}; give the CIFAR-10 folder")
    images = _lossless_file(folder / LOSSLESS)
    split = TEST_ROW - VALIDATION_ROWS
    compressed = read_image_zip(folder / COMPRESSED) if (folder / COMPRESSED).is_file() else images[:0]
    return Cifar10(images[:split], compressed, images[split:TEST_ROW], images[TEST_ROW:])


def read_labels(folder: Path) -> Cifar10Labels:
    """Read the classes of the images of `read_cifar10`: bytes of the official files, `labels`, folders of the zip.

    TrainingError: as there.
    """
    if (folder / OFFICIAL[-1]).is_file():
        *batches, test = (_names(_official_rows(folder / name)[:, 0]) for name in OFFICIAL)
        train = [name for batch in batches for name in batch]
        split = len(train) - OFFICIAL_VALIDATION_ROWS
        return Cifar10Labels(train[:split], [], train[split:], test)
    with np.load(folder / LOSSLESS, allow_pickle=False) as arrays:
        rows = _names(arrays["labels"]) if "labels" in arrays else [""] * len(arrays["images"])
    names = _image_names(folder / COMPRESSED) if (folder / COMPRESSED).is_file() else []
    compressed = [parent if (parent := PurePosixPath(name).parent.name) in CLASSES else "" for name in names]
    split = TEST_ROW - VALIDATION_ROWS
    return Cifar10Labels(rows[:split], compressed, rows[split:TEST_ROW], rows[TEST_ROW:])


def cifar10_source(folder: Path) -> DataSource:
    """The images of `read_cifar10` to train on and to validate with; those for testing stay out."""
    files = [path for path in map(folder.joinpath, (*OFFICIAL, LOSSLESS, COMPRESSED)) if path.is_file()]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return DataSource("CIFAR-10", f"cifar10 with labels {stats}", lambda: _contents(folder))


def _contents(folder: Path) -> Contents:
    data, labels = read_cifar10(folder), read_labels(folder)
    weights = (1.0, 1.0)
    if len(data.train_compressed):
        weights = LOSSLESS_SHARE / len(data.train), (1 - LOSSLESS_SHARE) / len(data.train_compressed)
    items = [
        *_items("lossless", labels.train, "training", weights[0]),
        *_items("jpeg", labels.train_compressed, "training", weights[1]),
        *_items("validation", labels.validation, "validation", 1.0),
    ]
    images = np.concatenate([data.train, data.train_compressed, data.validation])
    return Contents(items, lambda index: images[index].transpose(1, 2, 0))


def _items(name: str, labels: list[str], part: Split, weight: float) -> list[DataItem]:
    names = [f"cifar10/{name}/{row}" for row in range(len(labels))]
    return [DataItem(name, name, part, weight, label) for name, label in zip(names, labels, strict=True)]


def _names(labels: NDArray[np.uint8]) -> list[str]:
    return [CLASSES[label] if label < len(CLASSES) else "" for label in labels.tolist()]


def _image_names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg", ".png")))


def read_image_zip(path: Path) -> UInt8Array:
    """All images of a zip file, sorted by name and of one size, uint8 [N, 3, H, W]."""
    try:
        names = _image_names(path)
        with zipfile.ZipFile(path) as archive:
            images = [read_image(archive.read(name), name=f"{path}:{name}").pixels for name in names]
            return np.stack(images).transpose(0, 3, 1, 2)
    except (MediaError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be used: {error}; get it again") from error


def _lossless_file(path: Path) -> UInt8Array:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} is not the array file it should be: {error}; get it again") from error


def _official_file(path: Path) -> UInt8Array:
    return _official_rows(path)[:, 1:].reshape(-1, 3, 32, 32)


def _official_rows(path: Path) -> UInt8Array:
    """Label and pixels of each image, uint8 [N, 1 + 3 · 32 · 32]."""
    row = 1 + 3 * 32 * 32  # label, then red, green and blue planes
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}; get it again") from error
    if data.size != BATCH_ROWS * row:
        raise TrainingError(f"{path} has {data.size} bytes, the official file has {BATCH_ROWS * row}; get it again")
    return data.reshape(-1, row)
