"""What differs between kinds of models when they are trained; the rest of `vqc train` is the same for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from vqc.data.batches import ImageBatches, Shard
from vqc.data.datasets import ImageDataset
from vqc.errors import TrainingError
from vqc.models.base import CodecModel
from vqc.models.files.checkpoint import load_checkpoint, read_info, save_checkpoint
from vqc.models.kinds import KINDS, load
from vqc.models.parts import PARTS, trainables
from vqc.training.loop.task import Task
from vqc.training.settings import Settings

Progress = Callable[[int, int], None]  # done, total
M = TypeVar("M", bound=CodecModel)


class Exported(NamedTuple):
    """A trained model as it is saved."""

    model: Any  # float weights are exactly what the file will hold
    figures: Mapping[str, Any]  # on validation data: quality_1: {rate, quality}, …
    history: Mapping[str, Any] = MappingProxyType({})  # of the run: see `vqc.training.history.thinned`


class Recipe(ABC):
    """How models of one kind come to their weights. `dataset` is what `open_data` returned."""

    task_config: ClassVar[type[Any]]
    examples: ClassVar[str]  # what training examples are called, such as "images"
    initialise_loops: ClassVar[int] = 1  # tracked loops in `start` and in `finish`: see `vqc.training.stages`
    export_loops: ClassVar[int] = 1

    def build(self, settings: Settings) -> Any:
        """The model, untrained."""
        model_class: Any = KINDS[settings.kind].model_class
        return model_class(settings.model)

    @abstractmethod
    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> Any:
        """The training data, decoded once and kept on disk."""

    @abstractmethod
    def initialise(self, model: Any, dataset: Any, settings: Settings) -> None:
        """Starting values from the data, before the first step of a run from scratch."""

    @abstractmethod
    def warm_start(self, model: Any, path: str, dataset: Any, settings: Settings) -> None:
        """Take over weights and dictionaries of a model file; TrainingError when it is of another shape."""

    def describe(self, path: str) -> str:
        """What a model file says of another that it began with: never where that lay."""
        info = read_info(path)
        return f"{info.name} {info.digest[:12]}"

    @abstractmethod
    def make_task(self, model: Any, dataset: Any, settings: Settings, shard: Shard) -> Task:
        """The task for the loop."""

    @abstractmethod
    def export(self, model: Any, dataset: Any, settings: Settings) -> Exported:
        """The shippable model: last dictionaries, integer tables from training data, figures from validation data."""

    def samples(self, dataset: Any, settings: Settings) -> list[Tensor]:
        """A few validation signals for pictures of reconstructions: [1, 3, H, W] or [1, T]."""
        return []

    def save(self, path: Path, exported: Exported, name: str, training: Mapping[str, Any]) -> str:
        """Write the model file; returns its digest."""
        return save_checkpoint(
            path,
            exported.model,
            name=name,
            training=training,
            figures=exported.figures,
            weights="float16",
            history=exported.history,
        )


def trained_codec(path: str, kind: type[M]) -> M:
    """The model in a file whose weights a run begins with, without its parts: codes will come to mean something else.

    These are its prior, its likelihood and its sharp decoder.
    TrainingError: it is of another kind.
    """
    model = load_checkpoint(path).model
    if not isinstance(model, kind):
        raise TrainingError(f"{path} is of the kind {model.kind}; this run trains the kind {kind.kind}")
    for part in PARTS:
        setattr(model, part.attribute, None)
    return model


def training_images(dataset: ImageDataset, settings: Settings, shard: Shard) -> ImageBatches:
    """The training batches that the settings of an image task ask for."""
    task = settings.task
    return ImageBatches(
        dataset,
        batch_size=task.batch_size,
        seed=settings.loop.seed,
        side=task.crop or None,
        max_shift=task.max_shift,
        shard=shard,
    )


def recipe_of(kind: str) -> Recipe:
    """The recipe of what settings call a kind."""
    return cast(Recipe, load(trainables()[kind].recipe)())


@torch.no_grad()
def round_to_stored(model: CodecModel) -> None:
    """Round weights to the half precision in which the file will hold them, so that tables are counted with those."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not name.startswith(model.float32_tensors):
            tensor.copy_(tensor.half().to(tensor.dtype))
