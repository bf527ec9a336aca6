"""Packs in memory for tests of what is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.data.data_source import Contents, DataItem, DataSource
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.data.decode_cache import DecodedSet


def image_pack(images: Sequence[NDArray[np.uint8]], *, held_out: Sequence[int] = (0,)) -> ImageDataset:
    """A pack of images uint8 [H, W, 3]; those held out are for validation."""
    return ImageDataset([_source()], [_shelf(images, [image.shape[:2] for image in images], held_out)])


def audio_pack(
    waveforms: Sequence[NDArray[np.float32]], sample_rate: int = 16_000, *, held_out: Sequence[int] = (0,)
) -> AudioDataset:
    """A pack of waveforms [T] in [-1, 1), kept with 16 bits; those held out are for validation."""
    samples = [np.rint(np.asarray(waveform) * 2**15).astype(np.int16) for waveform in waveforms]
    return AudioDataset([_source()], [_shelf(samples, [s.shape for s in samples], held_out)], sample_rate)


def tones(*, louder: float = 0.0) -> AudioDataset:
    """Five recordings of tones of which another begins every 100 ms, in noise; each by so much louder than the last."""
    generator = np.random.default_rng(0)
    waveforms = []
    for i in range(5):
        hz = np.repeat(generator.choice([400, 1_200, 2_500, 5_000], 30 + i), 1_600)
        tone = np.sin(2 * np.pi * np.cumsum(hz) / 16_000) * 0.1 * (1 + louder * i) + generator.normal(0, 0.02, len(hz))
        waveforms.append(tone.clip(-0.99, 0.99).astype(np.float32))
    return audio_pack(waveforms)


def _source() -> DataSource:
    return DataSource("tiny", "tiny", lambda: Contents([], lambda index: np.zeros(0)))


def _shelf(arrays: Sequence[NDArray[Any]], shapes: list[tuple[int, ...]], held_out: Sequence[int]) -> DecodedSet:
    names = [f"tiny/{i}" for i in range(len(arrays))]
    items = [DataItem(name, name, "validation" if i in held_out else "training") for i, name in enumerate(names)]
    data = np.concatenate([array.ravel() for array in arrays])
    return DecodedSet(Path("tiny"), items, [], np.array(shapes, dtype=np.int64), data)
