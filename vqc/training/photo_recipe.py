"""How the `photo` model is trained: linear transform and dictionaries first, then the networks around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.packs import ImagePack, open_images
from vqc.errors import TrainingError
from vqc.models.photo import PhotoConfig, PhotoModel
from vqc.training.photo import PhotoTask, PhotoTaskConfig, centres, initialise, rate_distortion
from vqc.training.photo_export import pad_entries, refit, sample_images, without_idle_entries
from vqc.training.recipe import Finished, Progress, Recipe, round_to_stored, trained_codec
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables


class PhotoRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PhotoTaskConfig
    examples = "photos"

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> ImagePack:
        return open_images(sources, download=download, progress=progress)

    def start(self, model: PhotoModel, pack: ImagePack, settings: Settings) -> None:
        initialise(model.eval(), pack, seed=settings.loop.seed, crops=settings.task.start_crops)

    def warm_start(self, model: PhotoModel, path: str, settings: Settings) -> None:
        trained = trained_codec(path, PhotoModel)
        if _trained_part(trained.config, model.config) != dataclasses.replace(model.config, groups=(), entries=()):
            raise TrainingError(f"a run goes on only from a model of the same [model] settings; {path} has others")
        weights = trained.state_dict()
        del weights["static_table"]  # of fewer code maps and entries: idle ones were dropped
        pad_entries(weights, model)
        model.load_state_dict(weights, strict=False)
        model.quantizer.resume()

    def make_task(self, model: PhotoModel, pack: ImagePack, settings: Settings, shard: Shard) -> PhotoTask:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return PhotoTask(model, pack, settings.task, seed=settings.loop.seed, shard=shard)

    def finish(self, model: PhotoModel, pack: ImagePack, settings: Settings) -> Finished:
        images = sample_images(pack, settings.task.table_photos)
        round_to_stored(model.eval())
        model = without_idle_entries(model, refit(model, images))
        round_to_stored(model)
        fill_static_tables(model, images)
        points = rate_distortion(model, list(centres(pack, pack.validation[: settings.task.report_photos])))
        figures = {
            f"quality_{q}": {"bpp": round(p.bits_per_pixel_ideal, 4), "psnr": round(p.psnr, 3)}
            for q, p in enumerate(points, start=1)
        }
        return Finished(model, figures)

    def samples(self, pack: ImagePack, settings: Settings) -> list[Tensor]:
        return list(centres(pack, pack.validation[:6], 256))


def _trained_part(config: PhotoConfig, like: PhotoConfig) -> PhotoConfig:
    """With the default quality of `like`, and its codebooks where `config` has them without what was idle."""
    fits = all(
        (count, dims) == (n, d) and size <= k
        for (count, dims, size), (n, d, k) in zip(config.shapes, like.shapes, strict=False)
    )
    same = fits and len(config.shapes) == len(like.shapes)
    shapes = like.shapes if same else config.shapes
    return dataclasses.replace(config, groups=(), entries=(), shapes=shapes, default_quality=like.default_quality)
