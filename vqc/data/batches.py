"""Training batches as functions of (seed, step), so that a resumed run sees what an uninterrupted one would have.

A batch is drawn whole and each process of a distributed run reads its rows alone: together they see what one process
with the whole batch would see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.errors import TrainingError

UInt8Array = NDArray[np.uint8]
Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]


class Shard(NamedTuple):
    """The part of every batch that one of `ranks` processes reads."""

    rank: int
    ranks: int

    def rows(self, batch_size: int) -> slice:
        """The rows of this process; TrainingError when the processes cannot have equally many."""
        if batch_size % self.ranks:
            raise TrainingError(
                f"a batch of {batch_size} cannot be divided evenly among {self.ranks} processes; choose a multiple"
            )
        each = batch_size // self.ranks
        return slice(self.rank * each, (self.rank + 1) * each)


WHOLE = Shard(0, 1)


def random_for(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step of one run."""
    return np.random.default_rng((seed % 2**64, step))


class ItemSampler:
    """Training items drawn for each row of a batch: with equal probabilities, or in proportion to weights."""

    def __init__(self, items: list[int], weights: Float64Array | None) -> None:
        self.items = np.array(items, dtype=np.int64)
        self.ends = None if weights is None else np.cumsum(weights) / weights.sum()

    def __call__(self, count: int, generator: np.random.Generator) -> Int64Array:
        """Numbers of items [count]."""
        if self.ends is None:
            return self.items[generator.integers(len(self.items), size=count)]
        found = np.searchsorted(self.ends, generator.random(count), side="right")  # [count]
        return self.items[np.minimum(found, len(self.items) - 1)]  # rounding may leave the last end below 1


class ImageBatches:
    """Images, flipped left-right at random; calling with a step gives float32 [B, 3, H, W] in [0, 1], channels last.

    Without `side`, whole images, which then need one size, each shifted by up to `max_shift` pixels (mirrored at the
    border). With `side`, a random square of each image; smaller images are enlarged to it.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        *,
        batch_size: int,
        seed: int,
        side: int | None = None,
        max_shift: int = 0,
        shard: Shard = WHOLE,
    ) -> None:
        """TrainingError: whole images are asked for and they have several sizes."""
        self.dataset, self.batch_size, self.seed, self.max_shift = dataset, batch_size, seed, max_shift
        self.rows, self.draws = shard.rows(batch_size), ItemSampler(dataset.training, dataset.probabilities)
        sizes = np.unique(dataset.sizes[dataset.training], axis=0)
        one_size = (int(sizes[0, 0]), int(sizes[0, 1]))
        if side is None and len(sizes) > 1:
            several = " and ".join(f"{width} × {height}" for height, width in sizes[:2])
            raise TrainingError(
                f"{dataset.title} has images of several sizes, such as {several}; set the side of crops"
            )
        self.side = None if len(sizes) == 1 and (side or one_size[0], side or one_size[1]) == one_size else side
        self.size = one_size if self.side is None else (self.side, self.side)

    def __call__(self, step: int) -> Tensor:
        generator = random_for(self.seed, step)
        chosen = self.draws(self.batch_size, generator)
        flips = generator.random(self.batch_size) < 0.5
        places = generator.random((self.batch_size, 2))  # [B, 2] in [0, 1): down, right
        chosen, flips, places = chosen[self.rows], flips[self.rows], places[self.rows]
        images = [self.dataset.image(i) for i in chosen]
        cuts = self._shifted(images, places) if self.side is None else self._squares(images, places)
        return as_batch([mirrored(cut) if flip else cut for cut, flip in zip(cuts, flips, strict=True)])

    def _shifted(self, images: list[UInt8Array], places: Float64Array) -> Iterable[UInt8Array]:
        shift, (H, W) = self.max_shift, self.size
        padded = np.pad(np.stack(images), ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
        for image, (y, x) in zip(padded, (places * (2 * shift + 1)).astype(np.int64), strict=True):
            yield image[y : y + H, x : x + W]

    def _squares(self, images: list[UInt8Array], places: Float64Array) -> Iterable[UInt8Array]:
        assert self.side is not None, "whole images are shifted"
        return [random_square(image, self.side, *place) for image, place in zip(images, places, strict=True)]


class CropBatches:
    """Squares of photos; calling with a step gives float32 [B, 3, side, side] in [0, 1], channels last.

    Half of them are shrunk by up to two, which hides what JPEG did to the photo, and half are mirrored.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        *,
        side: int,
        batch_size: int,
        seed: int,
        shard: Shard = WHOLE,
        most_shrink: float = 2,
    ) -> None:
        self.dataset, self.side, self.batch_size, self.seed, self.most_shrink = (
            dataset,
            side,
            batch_size,
            seed,
            most_shrink,
        )
        self.rows, self.draws = shard.rows(batch_size), ItemSampler(dataset.training, dataset.probabilities)

    def __call__(self, step: int) -> Tensor:
        generator = random_for(self.seed, step)
        chosen = self.draws(self.batch_size, generator)
        numbers = generator.random((self.batch_size, 5))  # [B, 5], see `varied_square`
        rows = zip(chosen[self.rows], numbers[self.rows], strict=True)
        return as_batch([varied_square(self.dataset.image(i), self.side, n, self.most_shrink) for i, n in rows])


class WaveformBatches:
    """Random cuts of recordings, drawn with the probabilities of the data set: in proportion to their length.

    Calling with a step gives float32 [B, T] in [-1, 1]; a recording shorter than the cut is padded with zeros.
    """

    def __init__(self, dataset: AudioDataset, *, length: int, batch_size: int, seed: int, shard: Shard = WHOLE) -> None:
        self.dataset, self.length, self.batch_size, self.seed = dataset, length, batch_size, seed
        self.rows, self.draws = shard.rows(batch_size), ItemSampler(dataset.training, dataset.probabilities)

    def __call__(self, step: int) -> Tensor:
        generator = random_for(self.seed, step)
        chosen = self.draws(self.batch_size, generator)
        places = generator.random(self.batch_size)
        free = np.maximum(0, self.dataset.lengths[chosen] - self.length)  # [B], samples to shift the cut by
        starts = np.floor(places * (free + 1)).astype(np.int64)
        rows = zip(chosen[self.rows].tolist(), starts[self.rows].tolist(), strict=True)
        cuts = [self.dataset.cut(i, start, self.length) for i, start in rows]
        return torch.from_numpy(np.stack(cuts))


class Prefetched:
    """The same batches, each prepared by a thread while the step before it computes."""

    def __init__(self, batches: Callable[[int], Any]) -> None:
        self.batches = batches
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._next: tuple[int, Future[Any]] | None = None

    def __call__(self, step: int) -> Any:
        ready = self._next if self._next is not None and self._next[0] == step else None
        batch = ready[1].result() if ready else self.batches(step)
        self._next = (step + 1, self._pool.submit(self.batches, step + 1))
        return batch


def as_batch(images: Sequence[UInt8Array]) -> Tensor:
    """Pixels uint8 [H, W, 3] as float32 [B, 3, H, W] in [0, 1], channels last in memory as they are."""
    return torch.from_numpy(np.stack(images) / np.float32(255)).permute(0, 3, 1, 2)


def mirrored(image: UInt8Array) -> UInt8Array:
    """The image with left and right exchanged."""
    return image[:, ::-1]


def random_square(image: UInt8Array, side: int, down: float, right: float) -> UInt8Array:
    """A square at the place that two numbers in [0, 1) tell; of an image too small, its largest one, enlarged."""
    source = min(side, *image.shape[:2])
    top, left = (int(place * (n - source + 1)) for place, n in zip((down, right), image.shape[:2], strict=True))
    return resized(image[top : top + source, left : left + source], side)


def varied_square(photo: UInt8Array, side: int, numbers: Float64Array, most_shrink: float = 2) -> UInt8Array:
    """A square as five numbers in [0, 1) tell: in half of all cases shrunk by up to `most_shrink`, in half mirrored."""
    shrunk, shrink, down, right, flip = numbers.tolist()
    room = min(photo.shape[:2]) / side
    wanted = 1 + shrink * (most_shrink - 1) if shrunk < 0.5 else 1.0
    source = max(1, round(side * min(wanted, max(1.0, room))))
    square = resized(random_square(photo, source, down, right), side)
    return mirrored(square) if flip < 0.5 else square


def resized(square: UInt8Array, side: int) -> UInt8Array:
    """The square in another size, by a bicubic filter that does not alias."""
    if len(square) == side:
        return square
    planes = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float()  # [1, 3, side, side]
    planes = F.interpolate(planes, (side, side), mode="bicubic", antialias=True)[0]
    result: UInt8Array = planes.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return result
