"""Choice of the items of a dataset that starting values, tables and validation are made of, and their cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.data.batches import as_batch
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.data.formats import MEDIA
from vqc.errors import TrainingError

Item = TypeVar("Item")

BATCH = 100  # images of one size that are encoded together
WHOLE_SAMPLE_MINUTES = 60.0  # of a run, from which on its starting values are made of the whole sample


def sample_within(minutes: float | None, wanted: int, least: int) -> int:
    """Bound a sample that starting values are made of, so that they leave most of a short run for its steps.

    All of an hour's run and of longer ones, in proportion to the time of shorter ones. None: no time is set.
    """
    if minutes is None or minutes >= WHOLE_SAMPLE_MINUTES:
        return wanted
    return min(wanted, max(least, round(wanted * minutes / WHOLE_SAMPLE_MINUTES)))


def draw_items(
    dataset: ImageDataset | AudioDataset, count: int, probabilities: NDArray[np.float64] | None, *, seed: int
) -> list[int]:
    """Different training items of a dataset at random, at most `count`; None: all equally likely."""
    possible = len(dataset.training) if probabilities is None else int((probabilities > 0).sum())
    generator = np.random.default_rng(seed)
    drawn = generator.choice(dataset.training, min(count, possible), replace=False, p=probabilities)
    return [int(i) for i in drawn]


def draw_probabilities(dataset: AudioDataset, source_shares: Sequence[float]) -> NDArray[np.float64]:
    """Probability of each training utterance [N]: by its length, and folders of data by their shares if there are any.

    TrainingError: there are not as many shares as folders.
    """
    lengths = np.array([dataset.lengths[i] for i in dataset.training], dtype=np.float64)
    if source_shares:
        sources = dataset.source_of[dataset.training]
        if len(source_shares) != sources.max() + 1:
            raise TrainingError(
                f"task.source_shares has {len(source_shares)} values for {sources.max() + 1} sets of data; "
                "give one share for each --data, or none"
            )
        for source, share in enumerate(source_shares):
            lengths[sources == source] *= share / lengths[sources == source].sum()
    probabilities: NDArray[np.float64] = lengths / lengths.sum()
    return probabilities


def batches_of_one_shape(
    items: Iterable[Item], shape: Callable[[Item], tuple[int, ...]], most_values: int
) -> Iterator[list[Item]]:
    """Group neighbours of one shape into batches that have `most_values` values, or a single item of more."""
    batch: list[Item] = []
    for item in items:
        full = (len(batch) + 1) * math.prod(shape(item)) > most_values
        if batch and (full or shape(item) != shape(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def check_not_empty(
    signals: list[Tensor], dataset: ImageDataset | AudioDataset, part: str = "validation"
) -> list[Tensor]:
    """Signals of a part of a dataset; TrainingError when there are none."""
    if not signals:
        words = MEDIA[dataset.media].plural
        raise TrainingError(f"all {part} {words} of {dataset.title} are smaller than one code; give others")
    return signals


def image_batches(dataset: ImageDataset, items: Sequence[int], factor: int, crop: int) -> list[Tensor]:
    """Images as batches [B, 3, H, W], each of one size.

    Whole images, or the squares in their centres when a crop is set, sides cut to multiples of the factor.
    """
    centred: dict[tuple[int, int], list[Any]] = {}
    for i in items:
        image = dataset.image(i)
        height, width = (min(n, crop or n) // factor * factor for n in image.shape[:2])
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        if height and width:
            centred.setdefault((height, width), []).append(image[top : top + height, left : left + width])
    batches = [of[i : i + BATCH] for of in centred.values() for i in range(0, len(of), BATCH)]
    return [as_batch(batch) for batch in batches]


def first_seconds(dataset: AudioDataset, items: Sequence[int], hop: int, seconds: float) -> list[Tensor]:
    """The beginnings of recordings, [1, T] each, T a multiple of the hop; those shorter than a hop are left out."""
    lengths = [int(min(dataset.lengths[i], seconds * dataset.sample_rate)) // hop * hop for i in items]
    cuts = [dataset.cut(i, 0, n) for i, n in zip(items, lengths, strict=True) if n]
    return [torch.from_numpy(cut)[None] for cut in cuts]
