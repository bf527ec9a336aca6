"""The recipe of `photo` models: linear transform and codebooks first, then the networks around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.datasets import ImageDataset
from vqc.models.photo.model import PhotoModel
from vqc.training.photo.export import refit, reseed_dead, sample_images, without_idle_entries
from vqc.training.photo.task import PhotoTask, PhotoTaskConfig, centres, initialise, rate_distortion
from vqc.training.recipe import Exported, Recipe, check_same_settings, round_to_stored, trained_codec
from vqc.training.sampling import sample_within
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables

_LEAST_CROPS, _LEAST_PHOTOS = 32, 8  # that starting values of the shortest runs are made of


class PhotoRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PhotoTaskConfig
    examples = "photos"
    initialise_loops, export_loops = 3, 4

    def initialise(self, model: PhotoModel, dataset: ImageDataset, settings: Settings) -> None:
        minutes, task = settings.loop.minutes, settings.task
        crops = sample_within(minutes, task.start_crops, _LEAST_CROPS)
        initialise(model.eval(), dataset, seed=settings.loop.seed, crops=crops)
        reseed_dead(model, sample_images(dataset, sample_within(minutes, task.occupying_photos, _LEAST_PHOTOS)))

    def warm_start(self, model: PhotoModel, path: str, dataset: ImageDataset, settings: Settings) -> None:
        trained = trained_codec(path, PhotoModel)
        check_same_settings(path, _architecture_key(trained), _architecture_key(model))
        weights = {k: v for k, v in trained.state_dict().items() if not k.startswith(("static_table", "quantizer."))}
        model.load_state_dict(weights, strict=False)
        model.quantizer.load_codebooks_from(trained.quantizer)
        photos = sample_within(settings.loop.minutes, settings.task.occupying_photos, _LEAST_PHOTOS)
        reseed_dead(model.eval(), sample_images(dataset, photos))

    def make_task(self, model: PhotoModel, dataset: ImageDataset, settings: Settings, shard: Shard) -> PhotoTask:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return PhotoTask(model, dataset, settings.task, seed=settings.loop.seed, shard=shard)

    def export(self, model: PhotoModel, dataset: ImageDataset, settings: Settings) -> Exported:
        images = sample_images(dataset, settings.task.table_photos)
        round_to_stored(model.eval())
        reseed_dead(model, images[: settings.task.occupying_photos])
        round_to_stored(model)
        model = without_idle_entries(model, refit(model, images))
        round_to_stored(model)
        fill_static_tables(model, images)
        points = rate_distortion(model, list(centres(dataset, dataset.validation[: settings.task.report_photos])))
        figures = {
            f"quality_{q}": {"bpp": round(p.bits_per_pixel_ideal, 4), "psnr": round(p.psnr, 3)}
            for q, p in enumerate(points, start=1)
        }
        return Exported(model, figures)

    def samples(self, dataset: ImageDataset, settings: Settings) -> list[Tensor]:
        return list(centres(dataset, dataset.validation[:6], 256))


def _architecture_key(model: PhotoModel) -> tuple[dict[str, Any], list[int]]:
    """The settings that weights depend on: neither idle entries nor the shapes of groups nor the self-ensemble."""
    free = {"groups", "entries", "shapes", "default_quality", "both_ways"}
    config = {name: value for name, value in vars(model.config).items() if name not in free}
    return config, model.quantizer.group_dims()
