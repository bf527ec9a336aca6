"""The base of all recipes: the steps of a training that differ between kinds of models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.derived import Progress
from vqc.errors import TrainingError
from vqc.models.base import CodecModel
from vqc.models.files.checkpoint import in_eight_bits, load_checkpoint, read_info, save_checkpoint
from vqc.models.files.eight_bits import rounded
from vqc.models.kinds import KINDS, load, trainables
from vqc.models.parts import PARTS
from vqc.nn.pitch import SAMPLE_RATE
from vqc.training.loop.task import Task
from vqc.training.media import AUDIO, IMAGES
from vqc.training.settings import Settings

M = TypeVar("M", bound=CodecModel)


class Exported(NamedTuple):
    """A trained model as it is saved."""

    model: Any  # float weights are exactly what the file will hold
    figures: Mapping[str, Any]  # on validation data: quality_1: {rate, quality}, …
    history: Mapping[str, Any] = MappingProxyType({})  # of the run: see `vqc.training.history.thinned`


class Recipe(ABC):
    """The way of one kind of model from data to weights. `dataset` is what `open_data` returned."""

    task_config: ClassVar[type[Any]]
    examples: ClassVar[str]  # a word for training examples, such as "images"
    initialise_loops: ClassVar[int] = 1  # tracked loops in `initialise` and in `export`: see `vqc.training.stages`
    export_loops: ClassVar[int] = 1

    def build(self, settings: Settings) -> Any:
        """Build the model, untrained."""
        model_class: Any = KINDS[settings.kind].model_class
        return model_class(settings.model)

    def sample_rate(self, settings: Settings) -> int | None:
        """Samples a second of the recordings to train on; None for images."""
        return None

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> Any:
        """Open the training data; decode them, the first time, and keep that on disk."""
        rate = self.sample_rate(settings)
        medium = IMAGES if rate is None else AUDIO
        dataset = medium.open(sources, rate, download=download, progress=progress)
        dataset.exclude(getattr(settings.task, "leave_out", ""))
        return dataset

    @abstractmethod
    def initialise(self, model: Any, dataset: Any, settings: Settings) -> None:
        """Set starting values from the data, before the first step of a run from scratch."""

    @abstractmethod
    def warm_start(self, model: Any, path: str, dataset: Any, settings: Settings) -> None:
        """Take over weights and dictionaries of a model file; TrainingError when it is of another shape."""

    def describe(self, path: str) -> str:
        """Describe the model that a run began with, for a model file: by name and digest, never by its path."""
        info = read_info(path)
        return f"{info.name} {info.digest[:12]}"

    @abstractmethod
    def make_task(self, model: Any, dataset: Any, settings: Settings, shard: Shard) -> Task:
        """Make the task for the loop."""

    @abstractmethod
    def export(self, model: Any, dataset: Any, settings: Settings) -> Exported:
        """Finish a model for its file: last codebooks, integer tables of training data, figures of validation data."""

    def samples(self, dataset: Any, settings: Settings) -> list[Tensor]:
        """Choose a few validation signals for pictures of reconstructions: [1, 3, H, W] or [1, T]."""
        return []

    def save(self, path: Path, exported: Exported, name: str, training: Mapping[str, Any]) -> str:
        """Write the model file; returns its digest."""
        return save_checkpoint(
            path,
            exported.model,
            name=name,
            training=training,
            figures=exported.figures,
            weights="int8",
            history=exported.history,
        )


class UtteranceRecipe(Recipe):
    """Base of the recipes of models of speech, which all hear the same rate."""

    examples = "utterances"

    def sample_rate(self, settings: Settings) -> int:
        return SAMPLE_RATE


def trained_codec(path: str, kind: type[M]) -> M:
    """Load the model whose weights a run begins with, without its parts: its codes will come to mean something else.

    TrainingError: it is of another kind.
    """
    model = load_checkpoint(path).model
    if not isinstance(model, kind):
        raise TrainingError(f"{path} is of the kind {model.kind}; this run trains the kind {kind.kind}")
    for part in PARTS:
        setattr(model, part.attribute, None)
    return model


def check_same_settings(path: str | Path, found: Any, own: Any, what: str = "model") -> None:
    """TrainingError unless the weights in a file are for a model of the same settings."""
    if found != own:
        raise TrainingError(f"a run goes on only from a {what} of the same [model] settings; {path} has others")


def load_trained(model: CodecModel, path: str) -> None:
    """Load all weights of a model file; TrainingError when it has another kind or other settings."""
    trained = trained_codec(path, type(model))
    check_same_settings(path, trained.config, model.for_export().config)
    model.load_state_dict(trained.state_dict(), strict=False)


def recipe_of(kind: str) -> Recipe:
    """Make the recipe of a kind by its name in settings."""
    return cast(Recipe, load(trainables()[kind].recipe)())


@torch.no_grad()
def round_to_stored(model: CodecModel) -> None:
    """Round weights to the precision in which the file will hold them, so that tables are counted with those."""
    state = model.state_dict()
    short = in_eight_bits(model, state)
    for name, tensor in state.items():
        if name in short:
            tensor.copy_(rounded(tensor))
        elif tensor.is_floating_point() and not name.startswith(model.float32_tensors):
            tensor.copy_(tensor.half().to(tensor.dtype))
