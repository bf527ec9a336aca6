"""What differs between kinds of models when they are trained; the rest of `vqc train` is the same for all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.models.base import CodecModel
from vqc.training.protocols import Task

if TYPE_CHECKING:
    from vqc.training.settings import Settings

Progress = Callable[[int, int], None]  # done, total


class Finished(NamedTuple):
    """A trained model as it is saved."""

    model: CodecModel  # float weights are exactly what the file will hold
    figures: Mapping[str, Any]  # on validation data: quality_1: {rate, quality}, …


class Recipe(Protocol):
    """How models of one kind come to their weights. `pack` is what `open_data` returned."""

    task_config: type[Any]
    examples: str  # what a training example is called: "images", "utterances"

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> Any:
        """The training data, decoded once and kept on disk."""

    def start(self, model: Any, pack: Any, settings: Settings) -> None:
        """Starting values from the data, before the first step of a run from scratch."""

    def warm_start(self, model: Any, trained: CodecModel) -> None:
        """Take over weights and dictionaries of a trained model; TrainingError when it is of another shape."""

    def make_task(self, model: Any, pack: Any, settings: Settings, shard: Shard) -> Task:
        """The task for the loop."""

    def finish(self, model: Any, pack: Any, settings: Settings) -> Finished:
        """The shippable model: last dictionaries, integer tables from training data, figures from validation data."""

    def samples(self, pack: Any, settings: Settings) -> list[Tensor]:
        """A few validation signals for pictures of reconstructions: [1, 3, H, W] or [1, T]."""


_RECIPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "image-vqvae": ("vqc.training.paper_recipes", "ImageRecipe"),
        "audio-vqvae": ("vqc.training.paper_recipes", "AudioRecipe"),
        "photo": ("vqc.training.photo_recipe", "PhotoRecipe"),
        "speech": ("vqc.training.speech_recipe", "SpeechRecipe"),
    }
)


def recipe_of(kind: str) -> Recipe:
    """The recipe of a kind of model."""
    module, name = _RECIPES[kind]
    return cast(Recipe, getattr(importlib.import_module(module), name)())


@torch.no_grad()
def round_to_stored(model: CodecModel) -> None:
    """Round weights to the half precision in which the file will hold them, so that tables are counted with those."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not name.startswith(model.float32_tensors):
            tensor.copy_(tensor.half().to(tensor.dtype))
