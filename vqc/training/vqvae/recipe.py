"""The recipes of the models of the paper: reconstruct crops through one codebook, which k-means places first."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from vqc.data.batches import Prefetched, Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.errors import TrainingError
from vqc.training.media import AUDIO, IMAGES, Batches
from vqc.training.recipe import Exported, Recipe, load_trained, round_to_stored
from vqc.training.sampling import check_not_empty, first_seconds, image_batches
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables, table_bits
from vqc.training.vqvae.task import ReconstructionConfig, ReconstructionTask, evaluate

VARIANCE_ITEMS = 500  # training signals whose variance is taken, at most


class PaperRecipe(Recipe):
    """Base of the recipes of images and of audio; see `vqc.training.recipe.Recipe`."""

    task_config: ClassVar[type[Any]] = ReconstructionConfig
    table_items: ClassVar[int]  # training signals from which the tables are counted, at most

    @abstractmethod
    def signals(self, dataset: Any, items: Sequence[int], model: Any, settings: Settings) -> list[Tensor]:
        """Items as batches that the model encodes whole: [B, 3, H, W], or [1, T]."""

    @abstractmethod
    def batches(self, dataset: Any, settings: Settings, shard: Shard) -> Batches:
        """The training batches."""

    @abstractmethod
    def rates(self, model: Any, signals: Sequence[Tensor]) -> Mapping[str, float]:
        """bpp or kbps of these signals by the static tables."""

    def initialise(self, model: Any, dataset: Any, settings: Settings) -> None:
        """The task itself places the codebook, after `task.free_steps` steps."""
        assert not model.quantizer.ema_steps, "an untrained codebook"

    def warm_start(self, model: Any, path: str, dataset: Any, settings: Settings) -> None:
        """Load weights and codebook of a model of the same settings; k-means then does not place the codebook again."""
        load_trained(model, path)
        model.quantizer.reset_ema()

    def make_task(self, model: Any, dataset: Any, settings: Settings, shard: Shard) -> ReconstructionTask:
        items = dataset.validation[: settings.task.validation_items]
        validation = check_not_empty(self.signals(dataset, items, model, settings), dataset)
        variance = self.variance(dataset, model, settings)
        batches = Prefetched(self.batches(dataset, settings, shard))
        model = model.to(memory_format=torch.channels_last)
        return ReconstructionTask(model, batches, validation, settings.task, variance=variance)

    def variance(self, dataset: Any, model: Any, settings: Settings) -> float:
        """Variance of the training signals: the unit of the squared error."""
        items = evenly_spaced(dataset.training, VARIANCE_ITEMS)
        signals = check_not_empty(self.signals(dataset, items, model, settings), dataset, "training")
        return float(torch.cat([x.flatten() for x in signals]).double().var())

    def export(self, model: Any, dataset: Any, settings: Settings) -> Exported:
        model = model.eval().for_export()
        round_to_stored(model)
        fill_static_tables(
            model, self.signals(dataset, evenly_spaced(dataset.training, self.table_items), model, settings)
        )
        held = self.signals(dataset, dataset.validation[: settings.task.validation_items], model, settings)
        figures = {**self.rates(model, held), **evaluate(model, held)}
        figures.pop("score")
        return Exported(model, {"quality_1": figures})


class ImageRecipe(PaperRecipe):
    """Images: whole where all have one size and no crop is set, else crops."""

    examples = "images"
    table_items = 2_000

    def batches(self, dataset: ImageDataset, settings: Settings, shard: Shard) -> Batches:
        return IMAGES.batches(dataset, settings, shard)

    def signals(self, dataset: ImageDataset, items: Sequence[int], model: Any, settings: Settings) -> list[Tensor]:
        return IMAGES.held_out(dataset, items, model.downsampling_factor, settings.task.crop)

    def rates(self, model: Any, signals: Sequence[Tensor]) -> Mapping[str, float]:
        return {"bpp": table_bits(model, signals) / sum(x[:, 0].numel() for x in signals)}

    def samples(self, dataset: ImageDataset, settings: Settings) -> list[Tensor]:
        factor = math.prod(settings.model.strides)
        batches = image_batches(dataset, dataset.validation[:8], factor, settings.task.crop)
        return [x[None] for batch in batches for x in batch]


class AudioRecipe(PaperRecipe):
    """Audio: random cuts in training, the first seconds of each utterance in validation."""

    examples = "utterances"
    table_items = 150

    def sample_rate(self, settings: Settings) -> int:
        rate: int = settings.model.sample_rate
        return rate

    def batches(self, dataset: AudioDataset, settings: Settings, shard: Shard) -> Batches:
        task, hop = settings.task, math.prod(settings.model.strides)
        if task.crop < hop or task.crop % hop:
            raise TrainingError(f"task.crop is {task.crop} samples; it must be a multiple of {hop}, those of a code")
        return AUDIO.batches(dataset, settings, shard)

    def signals(self, dataset: AudioDataset, items: Sequence[int], model: Any, settings: Settings) -> list[Tensor]:
        return AUDIO.held_out(dataset, items, model.hop_length, settings.task.crop)

    def rates(self, model: Any, signals: Sequence[Tensor]) -> Mapping[str, float]:
        seconds = sum(x.numel() for x in signals) / model.sample_rate
        return {"kbps": table_bits(model, signals) / seconds / 1_000}

    def samples(self, dataset: AudioDataset, settings: Settings) -> list[Tensor]:
        return first_seconds(dataset, evenly_spaced(dataset.validation, 3), math.prod(settings.model.strides), 4.0)
