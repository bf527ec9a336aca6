"""The recipe of mosaics: each colour moves to the mean of the pixels that it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vqc.data.batches import Prefetched, Shard
from vqc.models.config import Config, limited
from vqc.training.loop.task import Losses, Task
from vqc.training.media import IMAGES
from vqc.training.recipe import Exported, Recipe, load_trained, round_to_stored
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables


@dataclass(frozen=True, kw_only=True)
class MosaicTaskConfig(Config):
    """Settings of the batches."""

    batch_size: int = limited(8, 1)
    crop: int = limited(0, 0)  # pixels a side; 0: whole images
    max_shift: int = limited(0, 0)


class MosaicTask(Task):
    """Squared error."""

    def __init__(self, model: Any, batches: Any, held_out: Sequence[Tensor]) -> None:
        self.model, self.batches, self.held_out = model, batches, held_out

    def batch(self, step: int) -> Tensor:
        batch: Tensor = self.batches(step)
        return batch

    def loss(self, batch: Tensor, step: int) -> Losses:
        error = (self.model.decode(self.model.encode(batch, 1), 1) - batch).square().mean()
        return Losses(error, {"mse": error.detach()})

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        errors = [float(self.loss(batch, 0).total) for batch in self.held_out]
        return {"mse": sum(errors) / len(errors), "score": sum(errors) / len(errors)}


class MosaicRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = MosaicTaskConfig
    examples = "images"

    def initialise(self, model: Any, dataset: Any, settings: Settings) -> None:
        """The palette begins at random."""

    def warm_start(self, model: Any, path: str, dataset: Any, settings: Settings) -> None:
        load_trained(model, path)

    def make_task(self, model: Any, dataset: Any, settings: Settings, shard: Shard) -> Task:
        batches = Prefetched(IMAGES.batches(dataset, settings, shard))
        return MosaicTask(model, batches, self.signals(dataset, dataset.validation, settings))

    def export(self, model: Any, dataset: Any, settings: Settings) -> Exported:
        round_to_stored(model.eval())
        fill_static_tables(model, self.signals(dataset, dataset.training, settings))
        figures = MosaicTask(model, None, self.signals(dataset, dataset.validation, settings)).validate()
        return Exported(model, {"quality_1": {"mse": figures["mse"]}})

    def signals(self, dataset: Any, items: Sequence[int], settings: Settings) -> list[Tensor]:
        """Items as batches [B, 3, H, W] that the model encodes whole."""
        return IMAGES.held_out(dataset, items, settings.model.block, settings.task.crop)
