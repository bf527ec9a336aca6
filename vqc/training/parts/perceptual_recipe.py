"""The recipe of perceptual decoders: they learn from the codes that a trained codec makes of the data.

The result is the codec's file with the perceptual decoder inside: the same digest, the same files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vqc.data.batches import Prefetched, Shard
from vqc.data.derived import Progress
from vqc.errors import OptionError, TrainingError
from vqc.models.base import CodecModel
from vqc.models.files.checkpoint import LoadedModel, how_stored, load_checkpoint, save_again
from vqc.models.parts import PERCEPTUAL
from vqc.training.media import MEDIA
from vqc.training.parts.base import PartRecipe, check_crop, no_batches
from vqc.training.parts.perceptual import PerceptualTask, PerceptualTaskConfig
from vqc.training.recipe import Exported
from vqc.training.settings import Settings
from vqc.training.stages import tracked

VALIDATION_CROPS = 2  # sides of a training crop that validation images have, at most


class PerceptualRecipe(PartRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PerceptualTaskConfig

    def build(self, settings: Settings) -> nn.Module:
        """The perceptual decoder that the codec's file has, else a copy of the codec's own decoder."""
        return initial_decoder(self.codec(settings).model).requires_grad_(True)

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> Any:
        model, info = self.codec(settings)
        if not model.perceptual_child:
            raise OptionError(f"{info.name} is of the kind {info.kind}, which can have no sharp decoder")
        return super().open_data(sources, settings, download=download, progress=progress)

    def warm_start(self, model: nn.Module, path: str, dataset: Any, settings: Settings) -> None:
        """Take over the perceptual decoder of a model file, else its own."""
        try:
            model.load_state_dict(initial_decoder(load_checkpoint(path).model).state_dict())
        except (RuntimeError, ValueError):
            raise TrainingError(f"{path} holds no decoder of the same shape; leave out --start-from") from None

    def make_task(self, model: nn.Module, dataset: Any, settings: Settings, shard: Shard) -> PerceptualTask:
        codec: Any = load_checkpoint(settings.task.codec).model
        check_crop(settings.task.crop, codec)
        batches = MEDIA[codec.media].crops(dataset, settings, shard)
        return self._task(model, codec, dataset, settings, Prefetched(batches))

    def export(self, model: nn.Module, dataset: Any, settings: Settings) -> Exported:
        """The codec as its file has it, with this perceptual decoder, in the precision of the file."""
        loaded = load_checkpoint(settings.task.codec)
        if how_stored(loaded.info.path)[0] != "float32":
            model.half().float()
        task = self._task(model.eval(), loaded.model, dataset, settings, no_batches)
        figures = {}
        for quality in tracked(range(1, loaded.model.qualities + 1)):
            row = task.measure(quality)
            figures[f"quality_{quality}"] = {name: round(row[name], 5) for name in row if name != "score"}
        loaded.model.attach_perceptual(model)
        return Exported(loaded, figures)

    def save(self, path: Path, exported: Exported, name: str, training: Mapping[str, Any]) -> str:
        """Write the codec's file with the perceptual decoder inside; its description of the other parts stays."""
        loaded: LoadedModel = exported.model
        return save_again(
            path, loaded, name=name, parts={PERCEPTUAL.name: {"training": training, "figures": exported.figures}}
        )

    def _task(
        self, model: nn.Module, codec: Any, dataset: Any, settings: Settings, batches: Callable[[int], Tensor]
    ) -> PerceptualTask:
        held_out = self.held_out(dataset, codec, settings, VALIDATION_CROPS * settings.task.crop)
        return PerceptualTask(model, codec, batches, held_out, settings.task)


def initial_decoder(codec: CodecModel) -> nn.Module:
    """A perceptual decoder to begin with: a copy of the one that a codec has, else of its own decoder."""
    return codec.make_perceptual() if codec.perceptual is None else copy.deepcopy(codec.perceptual)
