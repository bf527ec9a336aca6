"""How sharp decoders are trained: on the codes that a trained codec makes of the data.

What comes of it is the codec's file with the sharp decoder inside: the same digest, the same files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vqc.data.batches import CropBatches, Prefetched, Shard, WaveformBatches
from vqc.data.datasets import AudioDataset, ImageDataset, open_audio, open_images
from vqc.errors import OptionError, TrainingError
from vqc.models.base import AudioModel, CodecModel
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint, save_again, stored_weights
from vqc.models.files.zoo import load_model
from vqc.training.parts.perceptual import SharpTask, SharpTaskConfig
from vqc.training.parts.prior_export import codec_digest
from vqc.training.recipe import Finished, Progress, Recipe
from vqc.training.sampling import evenly_spaced, first_seconds, image_batches
from vqc.training.settings import Settings
from vqc.training.stages import tracked

SECONDS = 10.0  # of a validation utterance, at most
VALIDATION_CROPS = 2  # sides of a training crop that validation images have, at most


@dataclass(frozen=True, kw_only=True)
class SharpRunConfig(SharpTaskConfig):
    """For which codec, beside how it is trained."""

    codec: str = ""  # model file
    codec_digest: str = ""  # of that without its prior; empty: any
    leave_out: str = ""  # items with this in their names are not trained on


class SharpRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = SharpRunConfig
    examples = "images or recordings"

    def build(self, settings: Settings) -> nn.Module:
        """The sharp decoder that the codec's file has, else a copy of the codec's own decoder."""
        return begun(load_model(settings.task.codec).model).requires_grad_(True)

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> ImageDataset | AudioDataset:
        model, info = load_model(settings.task.codec)
        if not model.sharp_part:
            raise OptionError(f"{info.name} is of the kind {info.kind}, which can have no sharp decoder")
        digest, wanted = codec_digest(info.path), settings.task.codec_digest
        if wanted not in ("", digest):
            raise TrainingError(f"{info.path} is no longer the codec {wanted[:12]} whose decoder this run is for")
        pack: ImageDataset | AudioDataset
        if isinstance(model, AudioModel):
            pack = open_audio(sources, model.sample_rate, download=download, progress=progress)
        else:
            pack = open_images(sources, download=download, progress=progress)
        pack.exclude(settings.task.leave_out)
        return pack

    def start(self, model: nn.Module, pack: Any, settings: Settings) -> None:
        """It begins as it was built."""

    def warm_start(self, model: nn.Module, path: str, pack: Any, settings: Settings) -> None:
        """The sharp decoder of a model file, else its own."""
        try:
            model.load_state_dict(begun(load_checkpoint(path).model).state_dict())
        except (RuntimeError, ValueError):
            raise TrainingError(f"{path} holds no decoder of the same shape; leave out --start-from") from None

    def make_task(self, model: nn.Module, pack: Any, settings: Settings, shard: Shard) -> SharpTask:
        codec: Any = load_checkpoint(settings.task.codec).model
        task, seed = settings.task, settings.loop.seed
        unit = codec.hop_length if isinstance(codec, AudioModel) else codec.downsampling_factor
        if task.crop % unit:
            raise OptionError(f"task.crop is {task.crop}; it must be a multiple of {unit}, what a code is of")
        batches: CropBatches | WaveformBatches
        if isinstance(codec, AudioModel):
            batches = WaveformBatches(pack, length=task.crop, batch_size=task.batch_size, seed=seed, shard=shard)
        else:
            batches = CropBatches(pack, side=task.crop, batch_size=task.batch_size, seed=seed, shard=shard)
        return _task(model, codec, pack, settings, Prefetched(batches))

    def finish(self, model: nn.Module, pack: Any, settings: Settings) -> Finished:
        """The codec as its file has it, with this sharp decoder, in the precision of the file."""
        loaded = load_checkpoint(settings.task.codec)
        if stored_weights(loaded.info.path) == "float16":
            model.half().float()
        task = _task(model.eval(), loaded.model, pack, settings)
        figures = {}
        for quality in tracked(range(1, loaded.model.qualities + 1)):
            row = task.measure(quality)
            figures[f"quality_{quality}"] = {name: round(row[name], 5) for name in row if name != "score"}
        loaded.model.attach_sharp(model)
        return Finished(loaded, figures)

    def save(self, path: Path, finished: Finished, name: str, training: Mapping[str, Any]) -> str:
        """The codec's file with the sharp decoder inside; what it says of codec, prior and likelihood stays."""
        loaded: LoadedModel = finished.model
        return save_again(path, loaded, name=name, sharp_training=training, sharp_figures=finished.figures)


def begun(codec: CodecModel) -> nn.Module:
    """A sharp decoder for a codec: a copy of the one it has, else of its own decoder."""
    return codec.make_sharp() if codec.sharp is None else copy.deepcopy(codec.sharp)


def _task(
    model: nn.Module, codec: Any, pack: Any, settings: Settings, batches: Callable[[int], Tensor] | None = None
) -> SharpTask:
    """The task, and for measuring alone one without batches."""
    items = evenly_spaced(pack.validation, settings.task.validation_items)
    if isinstance(codec, AudioModel):
        held_out = first_seconds(pack, items, codec.hop_length, SECONDS)
    else:
        held_out = image_batches(pack, items, codec.downsampling_factor, VALIDATION_CROPS * settings.task.crop)
    if not held_out:
        raise TrainingError(f"all validation data of {pack.title} are smaller than one code; give others")
    return SharpTask(model, codec, batches or (lambda step: held_out[0]), held_out, settings.task)
