"""Folders of images or recordings as sources: which files they hold, and how one is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.data.audio_files import AudioReader, resample
from vqc.data.data_source import Contents, DataSource
from vqc.data.discovery import FoundMedia, find_media
from vqc.data.image_files import read_image
from vqc.errors import MediaError


def image_folder(folder: Path) -> DataSource:
    """All images below a folder."""
    found = find_media(folder, "image")
    contents = Contents(found.items, lambda index: read_image(found.paths[index]).rgb)
    return DataSource(folder.resolve().name, _identity(found), lambda: contents, found.notes)


def audio_folder(folder: Path, sample_rate: int, *, title: str | None = None) -> DataSource:
    """All recordings below a folder, mono at `sample_rate` in Hz; captions have its name, or the title if given."""
    found = find_media(folder, "audio")
    contents = Contents(found.items, lambda index: read_mono(found.paths[index], sample_rate))
    identity = f"{sample_rate} {_identity(found)}"
    return DataSource(title or folder.resolve().name, identity, lambda: contents, found.notes)


def read_mono(path: Path, sample_rate: int) -> NDArray[np.int16]:
    """A recording as int16 [T] at this rate, the mean of its channels; MediaError when it cannot be read."""
    with AudioReader(path) as reader:
        mono = (block.mean(axis=1, keepdims=True) for block in reader.blocks())
        blocks = [_int16(block) for block in resample(mono, reader.sample_rate, sample_rate, 1)]
    if not blocks:
        raise MediaError(f"{path}: is shorter than one sample at {sample_rate:,} Hz; remove it")
    return np.concatenate(blocks)


def _int16(block: NDArray[np.float32]) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = np.clip(np.rint(block[:, 0] * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
    return samples


def _identity(found: FoundMedia) -> str:
    """Names, sizes and times of all files: where the folder lies does not matter."""
    lines = []
    for item, path in zip(found.items, found.paths, strict=True):
        stat = path.stat()
        lines.append(f"{item.name}\0{stat.st_size}\0{stat.st_mtime_ns}")
    return "\n".join(lines)
