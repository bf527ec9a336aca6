"""The recipe of likelihoods: they learn from what a trained codec restores of the data.

The result is the codec's file with the likelihood inside: the same digest, the same files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc.data.batches import Prefetched, Shard
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint, save_again
from vqc.models.likelihood import Likelihood
from vqc.models.parts import LIKELIHOOD
from vqc.training.media import MEDIA
from vqc.training.parts.base import PartRecipe, check_crop, no_batches
from vqc.training.parts.likelihood import LikelihoodTask, LikelihoodTaskConfig
from vqc.training.recipe import Exported
from vqc.training.settings import Settings
from vqc.training.stages import tracked


class LikelihoodRecipe(PartRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = LikelihoodTaskConfig

    def build(self, settings: Settings) -> Likelihood:
        codec = self.codec(settings).model
        return Likelihood(settings.model, codec.media, codec.qualities)

    def warm_start(self, model: Likelihood, path: str, dataset: Any, settings: Settings) -> None:
        found = load_checkpoint(path).model.likelihood
        if found is None or found.config != model.config or found.bias.shape != model.bias.shape:
            raise TrainingError(f"{path} holds no likelihood of the same [model] settings; leave out --start-from")
        model.load_state_dict(found.state_dict())

    def make_task(self, model: Likelihood, dataset: Any, settings: Settings, shard: Shard) -> LikelihoodTask:
        codec: Any = load_checkpoint(settings.task.codec).model
        task = settings.task
        check_crop(task.crop, codec, whole=codec.media == "image")
        batches = MEDIA[codec.media].batches(dataset, settings, shard)
        held_out = self.held_out(dataset, codec, settings, task.crop)
        return LikelihoodTask(model, codec, Prefetched(batches), held_out, pool=task.pool)

    def export(self, model: Likelihood, dataset: Any, settings: Settings) -> Exported:
        """The codec as its file has it, with this likelihood."""
        loaded = load_checkpoint(settings.task.codec)
        held_out = self.held_out(dataset, loaded.model, settings, settings.task.crop)
        task = LikelihoodTask(model.eval(), loaded.model, no_batches, held_out)
        bits = {q: task.measure(q) for q in tracked(range(1, model.qualities + 1))}
        figures = {f"quality_{q}": {"bits_per_dim": round(each, 5)} for q, each in bits.items()}
        loaded.model.likelihood = model
        return Exported(loaded, figures)

    def save(self, path: Path, exported: Exported, name: str, training: Mapping[str, Any]) -> str:
        """Write the codec's file with the likelihood inside; its description of the other parts stays."""
        loaded: LoadedModel = exported.model
        described = {**training, "figures": dict(exported.figures)}
        return save_again(path, loaded, name=name, parts={LIKELIHOOD.name: {"training": described}})
