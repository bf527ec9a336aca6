"""The recipe of the content encoder of `voice` models, a round at a time.

A round learns a teacher's clusters; the encoder that comes of it is the teacher of the next. What is written is a model
of kind voice whose decoder has learnt nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vqc.data.batches import Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.zoo import load_model
from vqc.models.voice.content import ContentConfig, ContentEncoder
from vqc.models.voice.model import VoiceModel
from vqc.nn.pitch import PITCH_HOP
from vqc.training.phones.clusters import discriminant, means
from vqc.training.recipe import Exported, UtteranceRecipe, check_same_settings, load_trained, round_to_stored
from vqc.training.sampling import draw_items, draw_probabilities, first_seconds
from vqc.training.settings import Settings
from vqc.training.stages import tracked
from vqc.training.tables import fill_static_tables
from vqc.training.voice.content_data import TEACHERS, ContentBatches, Frames, clusterings, frames_of
from vqc.training.voice.content_task import ContentTask, ContentTaskConfig
from vqc.training.voice.recipe import content_settings

_SECONDS = 20.0  # of an utterance, at most, in which codebook and tables are found
_EVERY = 2  # frames between those that are clustered
_CLASSES = 2000  # clusters of the teacher, then of what it has taught, that the projection shall tell apart
_ITERATIONS = 12  # of k-means
_HELD = 20  # utterances
# Settings that a round may have different from its teacher's.
_BESIDE_NETWORK = ("content_hidden", "content_size", "content_dim", "content_classes")


class ContentRecipe(UtteranceRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = ContentTaskConfig
    export_loops = 2

    def build(self, settings: Settings) -> VoiceModel:
        """Build the model with the heads that only training needs."""
        model = VoiceModel(settings.model)
        width = settings.model.content_width
        model.add_module("heads", nn.ModuleList(nn.Linear(width, size) for size in settings.task.clusters))
        return model

    def initialise(self, model: VoiceModel, dataset: AudioDataset, settings: Settings) -> None:
        teacher: Any = load_model(settings.task.teacher).model
        if teacher.kind == model.kind:
            begin_as(model.content, teacher.content, settings.task.teacher)
        _frames(model, dataset, settings)  # kept in the cache

    def warm_start(self, model: VoiceModel, path: str, dataset: AudioDataset, settings: Settings) -> None:
        load_trained(model, path)

    def make_task(self, model: VoiceModel, dataset: AudioDataset, settings: Settings, shard: Shard) -> ContentTask:
        config, frames = settings.task, _frames(model, dataset, settings)
        sizes = {"batch": config.batch_size, "crop": config.crop, "seed": settings.loop.seed}
        training = ContentBatches(frames, range(len(dataset.training)), _weights(dataset, settings), **sizes)
        held = range(len(dataset.training), len(frames.starts) - 1)
        validation = ContentBatches(frames, held, dataset.lengths[dataset.validation], **sizes)
        return ContentTask(model, config, training, validation, shard)

    @torch.no_grad()
    def export(self, model: VoiceModel, dataset: AudioDataset, settings: Settings) -> Exported:
        config, seed = settings.task, settings.loop.seed
        teacher = load_model(config.teacher).model
        probabilities = draw_probabilities(dataset, config.source_shares)
        if model.content.head is not None:
            heads: Any = model.heads
            model.content.head.load_state_dict(heads[_own_head(settings)].state_dict())
        round_to_stored(model.eval())
        clustered = _named(dataset, config.codebook_from, probabilities)
        chosen = draw_items(dataset, config.codebook_utterances, clustered, seed=seed)
        place_codebook(model.content, teacher, first_seconds(dataset, chosen, PITCH_HOP, _SECONDS), seed)
        del model.heads
        round_to_stored(model)
        chosen = draw_items(dataset, config.table_utterances, probabilities, seed=seed + 1)
        fill_static_tables(model, first_seconds(dataset, chosen, PITCH_HOP, _SECONDS))
        return Exported(model, {"quality_1": {"perplexity": _perplexity(model, dataset)}})


@torch.no_grad()
def begin_as(content: ContentEncoder, teacher: ContentEncoder, path: str) -> None:
    """Make a network do what the teacher's does; hidden layers may be wider: what is new in them adds nothing yet.

    TrainingError: other settings of the network differ, or the hidden layers are narrower than the teacher's.
    """
    if teacher.config.content_hidden > content.config.content_hidden:
        raise TrainingError(f"the network in {path} has wider hidden layers; raise model.content_hidden")
    check_same_settings(path, _network_settings(teacher.config), _network_settings(content.config))
    state = content.network.state_dict()
    for name, trained in teacher.network.state_dict().items():
        if name.endswith(".out.weight"):
            state[name].zero_()
        state[name][tuple(slice(size) for size in trained.shape)] = trained


@torch.no_grad()
def place_codebook(content: ContentEncoder, teacher: Any, waveforms: Sequence[Tensor], seed: int = 0) -> None:
    """Set the projection, and the codebook by k-means there.

    Classes are projected on their principal components; without, the last layer to where the teacher's clusters lie
    apart. Where the teacher is a content encoder of as many dimensions, latents are turned to lie as its own do, and
    where its codebook is as large, k-means begins with the means of its codes: what was trained on these, decoder and
    prior, goes on from there.

    Args:
        content: whose network is trained.
        teacher: of one of the kinds of `TEACHERS`.
        waveforms: [1, T] each, T a multiple of 20 ms.
        seed: of the clusterings.
    """
    known, vectors = [], []
    for waveform in tracked(waveforms):
        last = content.network(content.frames(content.log_mel(waveform)))
        known.append(content.known(last)[0, ::_EVERY])
        vectors.append(TEACHERS[teacher.kind](teacher, waveform)[0, ::_EVERY])
    seen, taught = torch.cat(known), torch.cat(vectors)
    dims = content.config.content_dim
    if content.head is not None:
        projection = torch.linalg.eigh(torch.cov(seen.T)).eigenvectors[:, -dims:]
    else:
        projection = _apart(seen, taught, dims, seed)
        projection = _apart(seen, seen @ projection, dims, seed)
    start = None
    if teacher.kind == "voice" and taught.shape[1] == dims:
        projection = projection @ _turn(seen @ projection, taught)
        if len(teacher.content.codebook) == len(content.codebook):
            start = means(seen @ projection, teacher.content.quantizer.nearest(taught[None])[0], len(content.codebook))
    content.projection.copy_(projection)
    content.quantizer.initialise(seen @ projection, iterations=_ITERATIONS, seed=seed, start=start)


def _apart(vectors: Tensor, clustered: Tensor, dims: int, seed: int) -> Tensor:
    """The projection [D, dims] of vectors [N, D] where clusters of the same frames [N, C] lie apart."""
    count = min(_CLASSES, len(clustered))
    labels = torch.from_numpy(clusterings(clustered, (count,), seed)[:, 0]).long()
    return discriminant(vectors, labels, count, dims)


def _turn(vectors: Tensor, wanted: Tensor) -> Tensor:
    """The rotation [D, D], times a scale, that brings vectors [N, D] nearest to others [N, D] (Schönemann 1966)."""
    left, spread, right = torch.linalg.svd(vectors.T.double() @ wanted.double())
    turn: Tensor = (left @ right * (spread.sum() / vectors.double().square().sum())).float()
    return turn


def _own_head(settings: Settings) -> int:
    """Which of the clusterings the classes of the content encoder are; TrainingError: none."""
    sizes: tuple[int, ...] = settings.task.clusters
    classes = settings.model.content_classes
    if classes not in sizes:
        raise TrainingError(f"model.content_classes is {classes}; task.clusters has {list(sizes)}")
    return sizes.index(classes)


def _network_settings(config: ContentConfig) -> dict[str, Any]:
    """The settings that decide what a network sees and how it is made, but for how wide its hidden layers are."""
    return {name: value for name, value in content_settings(config).items() if name not in _BESIDE_NETWORK}


def _frames(model: VoiceModel, dataset: AudioDataset, settings: Settings) -> Frames:
    return frames_of(dataset, model.content, settings.task.teacher, settings.task.clusters, settings.loop.seed)


def _weights(dataset: AudioDataset, settings: Settings) -> NDArray[np.float64]:
    return draw_probabilities(dataset, settings.task.source_shares)


def _named(dataset: AudioDataset, text: str, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities [N] of the training utterances that have a text in their names; TrainingError: none has."""
    named: NDArray[np.float64] = probabilities * [text in dataset.names[i] for i in dataset.training]
    if not named.any():
        raise TrainingError(f"no recording has {text!r} in its name; change task.codebook_from")
    named /= named.sum()
    return named


def _perplexity(model: VoiceModel, dataset: AudioDataset) -> float:
    """Of the codes of held-out utterances."""
    held = first_seconds(dataset, evenly_spaced(dataset.validation, _HELD), PITCH_HOP, _SECONDS)
    codes = torch.cat([model.content.encode(x).flatten() for x in held])
    shares = torch.bincount(codes) / len(codes)
    return float(torch.special.entr(shares).sum().exp())
