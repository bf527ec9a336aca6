"""Images and recordings as training treats them: opened, drawn, held out and counted by the same calls."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from vqc.data.batches import CropBatches, ImageBatches, Shard, WaveformBatches
from vqc.data.datasets import open_audio, open_images
from vqc.data.derived import Progress
from vqc.training.sampling import first_seconds, image_batches
from vqc.training.settings import Settings

VALIDATION_SECONDS = 10.0  # of a recording, at most
BLANK_SIDE, BLANK_SECONDS = 256, 2.0  # of the signals on which operations are counted, in pixels and seconds

Batches = Callable[[int], Tensor]


class Blank(NamedTuple):
    """A signal to count operations on."""

    signal: Tensor  # [1, 3, H, W] or [1, T], zeros
    units: float  # pixels, or seconds
    positions: float  # of a code map


class Medium(ABC):
    """A medium. Datasets and models are those of it, batch sizes and crops are those of `settings.task`."""

    lowest: ClassVar[float]  # values of signals are in [lowest, 1]
    fidelity: ClassVar[str]  # name of the usual measure in decibels

    @abstractmethod
    def open(self, sources: Sequence[str], rate: int | None, *, download: bool, progress: Progress | None) -> Any:
        """Open a dataset, recordings at a sample rate; decode it, the first time."""

    @abstractmethod
    def code_size(self, model: Any) -> int:
        """Pixels a side, or samples, of a code."""

    @abstractmethod
    def batches(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        """Make batches [B, 3, H, W] of crops or, without a crop, of whole images; or [B, T] of cuts."""

    @abstractmethod
    def crops(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        """Make batches of crops alone, of images of any size."""

    @abstractmethod
    def held_out(self, dataset: Any, items: Sequence[int], code_size: int, crop: int) -> list[Tensor]:
        """Cut items to batches [B, 3, H, W] or [1, T] of whole codes; images to `crop` pixels a side, unless 0."""

    @abstractmethod
    def lengths(self, dataset: Any) -> Any:
        """Numbers that the probabilities of training items are in proportion to, [N], or 1."""

    @abstractmethod
    def power(self, batch: Tensor) -> Tensor | float:
        """Power of the signal in a signal-to-noise ratio: of its peak for images, its own for waveforms."""

    @abstractmethod
    def blank(self, model: Any) -> Blank:
        """Make a signal of whole codes to count operations on."""


class ImageMedium(Medium):
    """Images in [0, 1]."""

    lowest, fidelity = 0.0, "psnr"

    def open(self, sources: Sequence[str], rate: int | None, *, download: bool, progress: Progress | None) -> Any:
        return open_images(sources, download=download, progress=progress)

    def code_size(self, model: Any) -> int:
        return int(model.downsampling_factor)

    def batches(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        task, seed = settings.task, settings.loop.seed
        cut = {"side": task.crop or None, "max_shift": task.max_shift}
        return ImageBatches(dataset, batch_size=task.batch_size, seed=seed, shard=shard, **cut)

    def crops(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        task, seed = settings.task, settings.loop.seed
        return CropBatches(dataset, side=task.crop, batch_size=task.batch_size, seed=seed, shard=shard)

    def held_out(self, dataset: Any, items: Sequence[int], code_size: int, crop: int) -> list[Tensor]:
        return image_batches(dataset, items, code_size, crop)

    def lengths(self, dataset: Any) -> Any:
        return 1

    def power(self, batch: Tensor) -> Tensor | float:
        return 1.0

    def blank(self, model: Any) -> Blank:
        codes = -(-BLANK_SIDE // self.code_size(model))
        side = codes * self.code_size(model)
        return Blank(torch.zeros(1, 3, side, side), float(side**2), float(codes**2))


class AudioMedium(Medium):
    """Mono waveforms in [-1, 1]."""

    lowest, fidelity = -1.0, "snr"

    def open(self, sources: Sequence[str], rate: int | None, *, download: bool, progress: Progress | None) -> Any:
        assert rate is not None, "recordings have a sample rate"
        return open_audio(sources, rate, download=download, progress=progress)

    def code_size(self, model: Any) -> int:
        return int(model.hop_length)

    def batches(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        task, seed = settings.task, settings.loop.seed
        return WaveformBatches(dataset, length=task.crop, batch_size=task.batch_size, seed=seed, shard=shard)

    crops = batches

    def held_out(self, dataset: Any, items: Sequence[int], code_size: int, crop: int) -> list[Tensor]:
        return first_seconds(dataset, items, code_size, VALIDATION_SECONDS)

    def lengths(self, dataset: Any) -> Any:
        return dataset.lengths[dataset.training]

    def power(self, batch: Tensor) -> Tensor | float:
        return batch.square().mean().clamp_min(1e-9)

    def blank(self, model: Any) -> Blank:
        frames = math.ceil(BLANK_SECONDS * model.sample_rate / model.hop_length)
        samples = frames * model.hop_length
        return Blank(torch.zeros(1, samples), samples / model.sample_rate, float(frames))


IMAGES, AUDIO = ImageMedium(), AudioMedium()
MEDIA: Mapping[str, Medium] = MappingProxyType({"image": IMAGES, "audio": AUDIO})  # by the word of models and datasets
