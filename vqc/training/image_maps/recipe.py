"""The recipe of `image-maps` models: KLT and k-means first, then the networks, by squared error and commitment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vqc.data.batches import Prefetched, Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import ImageDataset
from vqc.models.image_maps.model import ImageMaps
from vqc.nn import ecvq_fit
from vqc.nn.block_transform import cut_blocks
from vqc.training.image_maps.task import MapsTask, MapsTaskConfig
from vqc.training.media import IMAGES
from vqc.training.recipe import Exported, Recipe, load_trained, round_to_stored
from vqc.training.sampling import check_not_empty, draw_items, image_batches
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables

FIT_IMAGES = 2_000  # for transform, dictionaries and tables
FIT_ROWS = 60_000  # latents for k-means


class MapsRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = MapsTaskConfig
    examples = "images"

    def initialise(self, model: ImageMaps, dataset: ImageDataset, settings: Settings) -> None:
        images = self.signals(dataset, evenly_spaced(dataset.training, FIT_IMAGES), settings)
        fit_linear(model.eval(), images, seed=settings.loop.seed)
        self.reseed_dead(model, dataset, settings)

    def warm_start(self, model: ImageMaps, path: str, dataset: ImageDataset, settings: Settings) -> None:
        load_trained(model, path)
        model.quantizer.reset_ema()
        self.reseed_dead(model.eval(), dataset, settings)

    def make_task(self, model: ImageMaps, dataset: ImageDataset, settings: Settings, shard: Shard) -> MapsTask:
        task = settings.task
        batches = IMAGES.batches(dataset, settings, shard)
        items = dataset.validation[: task.validation_items]
        held_out = check_not_empty(self.signals(dataset, items, settings), dataset)
        return MapsTask(model.to(memory_format=torch.channels_last), Prefetched(batches), held_out, task)  # type: ignore[call-overload]

    def export(self, model: ImageMaps, dataset: ImageDataset, settings: Settings) -> Exported:
        round_to_stored(model.eval())
        self.reseed_dead(model, dataset, settings)
        round_to_stored(model)
        fill_static_tables(model, self.signals(dataset, evenly_spaced(favoured(dataset), FIT_IMAGES), settings))
        held_out = self.signals(dataset, dataset.validation[: settings.task.validation_items], settings)
        figures = MapsTask(model, None, held_out, settings.task).validate()  # type: ignore[arg-type]
        return Exported(model, {"quality_1": {key: value for key, value in figures.items() if key != "score"}})

    def signals(self, dataset: ImageDataset, items: Sequence[int], settings: Settings) -> list[Tensor]:
        """Items as batches [B, 3, H, W], sides multiples of a block."""
        return image_batches(dataset, items, settings.model.block, settings.task.crop)

    def reseed_dead(self, model: ImageMaps, dataset: ImageDataset, settings: Settings) -> None:
        """Give dead entries a place at the edge of the latents of images that are drawn as in training."""
        drawn = draw_items(dataset, FIT_IMAGES, dataset.probabilities, seed=settings.loop.seed)
        rows = latent_rows(model, self.signals(dataset, drawn, settings), seed=settings.loop.seed)
        ecvq_fit.reseed_dead(model.quantizer, rows, 0, seed=settings.loop.seed)

    def samples(self, dataset: ImageDataset, settings: Settings) -> list[Tensor]:
        return [x[None] for batch in self.signals(dataset, dataset.validation[:8], settings) for x in batch]


def favoured(dataset: ImageDataset) -> list[int]:
    """The training items that are drawn most, such as those which no other codec has touched."""
    if dataset.probabilities is None:
        return list(dataset.training)
    return [
        i
        for i, chance in zip(dataset.training, dataset.probabilities, strict=True)
        if chance == dataset.probabilities.max()
    ]


@torch.no_grad()
def fit_linear(model: ImageMaps, images: Sequence[Tensor], *, seed: int = 0) -> None:
    """Make the model a good linear codec: KLT, then ECVQ by k-means."""
    size = model.config.block
    centred = [255 * (x - 0.5) for x in images]
    blocks = torch.cat([cut_blocks(x, size).reshape(-1, 3, size, size) for x in centred])
    model.transform.fit_klt(blocks)
    ecvq_fit.fit(model.quantizer, latent_rows(model, images, seed=seed), 0, iterations=10, seed=seed)


@torch.no_grad()
def latent_rows(model: ImageMaps, images: Sequence[Tensor], *, seed: int) -> Tensor:
    """Latents of images [N, D] at random places, `FIT_ROWS` at most."""
    rows = torch.cat([model.latents(x).permute(0, 2, 3, 1).flatten(0, 2) for x in images])
    return rows[torch.from_numpy(np.random.default_rng(seed).permutation(len(rows))[:FIT_ROWS])]
