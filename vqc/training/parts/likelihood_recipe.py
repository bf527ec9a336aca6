"""How likelihoods are trained: on what a trained codec restores of the data.

What comes of it is the codec's file with the likelihood inside: the same digest, the same files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vqc.data.batches import ImageBatches, Prefetched, Shard, WaveformBatches
from vqc.data.datasets import AudioDataset, ImageDataset, open_audio, open_images
from vqc.errors import OptionError, TrainingError
from vqc.models.base import AudioModel
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint, save_again
from vqc.models.files.zoo import load_model
from vqc.models.likelihood import Likelihood
from vqc.training.parts.likelihood import LikelihoodTask, LikelihoodTaskConfig
from vqc.training.parts.prior_export import codec_digest
from vqc.training.recipe import Finished, Progress, Recipe, training_images
from vqc.training.sampling import evenly_spaced, first_seconds, image_batches
from vqc.training.settings import Settings
from vqc.training.stages import tracked

SECONDS = 10.0  # of a validation utterance, at most


@dataclass(frozen=True, kw_only=True)
class LikelihoodRunConfig(LikelihoodTaskConfig):
    """Of which codec, beside how batches are drawn."""

    codec: str = ""  # model file
    codec_digest: str = ""  # of that without its prior; empty: any
    leave_out: str = ""  # items with this in their names are not trained on, such as images that have been compressed


class LikelihoodRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = LikelihoodRunConfig
    examples = "images or recordings"

    def build(self, settings: Settings) -> Likelihood:
        codec = load_model(settings.task.codec).model
        return Likelihood(settings.model, codec.media, codec.qualities)

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> ImageDataset | AudioDataset:
        model, info = load_model(settings.task.codec)
        digest, wanted = codec_digest(info.path), settings.task.codec_digest
        if wanted not in ("", digest):
            raise TrainingError(f"{info.path} is no longer the codec {wanted[:12]} whose likelihood this run is for")
        pack: ImageDataset | AudioDataset
        if isinstance(model, AudioModel):
            pack = open_audio(sources, model.sample_rate, download=download, progress=progress)
        else:
            pack = open_images(sources, download=download, progress=progress)
        pack.exclude(settings.task.leave_out)
        return pack

    def start(self, model: Likelihood, pack: Any, settings: Settings) -> None:
        """It begins centred on what was restored."""

    def warm_start(self, model: Likelihood, path: str, pack: Any, settings: Settings) -> None:
        found = load_checkpoint(path).model.likelihood
        if found is None or found.config != model.config or found.bias.shape != model.bias.shape:
            raise TrainingError(f"{path} holds no likelihood of the same [model] settings; leave out --start-from")
        model.load_state_dict(found.state_dict())

    def make_task(self, model: Likelihood, pack: Any, settings: Settings, shard: Shard) -> LikelihoodTask:
        codec: Any = load_checkpoint(settings.task.codec).model
        task = settings.task
        batches: ImageBatches | WaveformBatches
        if isinstance(codec, AudioModel):
            _refuse_crop(task.crop, codec.hop_length, least=1)
            batches = WaveformBatches(
                pack, length=task.crop, batch_size=task.batch_size, seed=settings.loop.seed, shard=shard
            )
        else:
            _refuse_crop(task.crop, codec.downsampling_factor, least=0)
            batches = training_images(pack, settings, shard)
        held_out = _signals(pack, evenly_spaced(pack.validation, task.validation_items), codec, task.crop)
        if not held_out:
            raise TrainingError(f"all validation data of {pack.title} are smaller than one code; give others")
        return LikelihoodTask(model, codec, Prefetched(batches), held_out, pool=task.pool)

    def finish(self, model: Likelihood, pack: Any, settings: Settings) -> Finished:
        """The codec as its file has it, with this likelihood."""
        loaded = load_checkpoint(settings.task.codec)
        held_out = _signals(
            pack, evenly_spaced(pack.validation, settings.task.validation_items), loaded.model, settings.task.crop
        )
        task = LikelihoodTask(model.eval(), loaded.model, lambda step: held_out[0], held_out)
        bits = {q: task.measure(q) for q in tracked(range(1, model.qualities + 1))}
        figures = {f"quality_{q}": {"bits_per_dim": round(each, 5)} for q, each in bits.items()}
        loaded.model.likelihood = model
        return Finished(loaded, figures)

    def save(self, path: Path, finished: Finished, name: str, training: Mapping[str, Any]) -> str:
        """The codec's file with the likelihood inside; what it says of codec, prior and sharp decoder stays."""
        loaded: LoadedModel = finished.model
        described = {**training, "figures": dict(finished.figures)}
        return save_again(path, loaded, name=name, likelihood_training=described)


def _refuse_crop(crop: int, unit: int, *, least: int) -> None:
    if crop % unit or crop < least:
        raise OptionError(f"task.crop is {crop}; it must be a multiple of {unit}, what a code is of")


def _signals(pack: Any, items: Sequence[int], codec: Any, crop: int) -> list[Tensor]:
    """Items as batches that the codec encodes whole."""
    if isinstance(codec, AudioModel):
        return first_seconds(pack, items, codec.hop_length, SECONDS)
    return image_batches(pack, items, codec.downsampling_factor, crop)
