"""The recipe of the content encoder of `voice` models, a round at a time.

A round learns a teacher's clusters; the encoder that comes of it is the teacher of the next. What is written is a model
of kind voice whose decoder has learnt nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vqc.data.batches import Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.models.files.zoo import load_model
from vqc.models.voice.content import ContentEncoder, centred
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
        round_to_stored(model.eval())
        teacher = load_model(config.teacher).model
        probabilities = draw_probabilities(dataset, config.source_shares)
        chosen = draw_items(dataset, config.codebook_utterances, probabilities, seed=seed)
        place_codebook(model.content, teacher, first_seconds(dataset, chosen, PITCH_HOP, _SECONDS), seed)
        del model.heads
        round_to_stored(model)
        chosen = draw_items(dataset, config.table_utterances, probabilities, seed=seed + 1)
        fill_static_tables(model, first_seconds(dataset, chosen, PITCH_HOP, _SECONDS))
        return Exported(model, {"quality_1": {"perplexity": _perplexity(model, dataset)}})


@torch.no_grad()
def begin_as(content: ContentEncoder, teacher: ContentEncoder, path: str) -> None:
    """Make a network do what the teacher's does; hidden layers may be wider: what is new in them adds nothing yet.

    TrainingError: other settings differ, or the hidden layers are narrower than the teacher's.
    """
    width = max(teacher.config.content_hidden, content.config.content_hidden)
    expected = replace(teacher.config, content_hidden=width)
    check_same_settings(path, content_settings(expected), content_settings(content.config))
    state = content.network.state_dict()
    for name, trained in teacher.network.state_dict().items():
        if name.endswith(".out.weight"):
            state[name].zero_()
        state[name][tuple(slice(size) for size in trained.shape)] = trained


@torch.no_grad()
def place_codebook(content: ContentEncoder, teacher: Any, waveforms: Sequence[Tensor], seed: int = 0) -> None:
    """Set the projection to where the teacher's clusters lie apart, and the codebook by k-means there.

    Where the teacher is a content encoder of the same sizes, latents are turned to lie as its own do, and k-means
    begins with the means of its codes: what was trained on these goes on from there, decoder and prior.

    Args:
        content: whose network is trained.
        teacher: of one of the kinds of `TEACHERS`.
        waveforms: [1, T] each, T a multiple of 20 ms.
        seed: of the clusterings.
    """
    known, vectors = [], []
    for waveform in tracked(waveforms):
        known.append(centred(content.network(content.frames(content.log_mel(waveform))), content.config)[0, ::_EVERY])
        vectors.append(TEACHERS[teacher.kind](teacher, waveform)[0, ::_EVERY])
    seen, taught = torch.cat(known), torch.cat(vectors)
    projection = _apart(seen, taught, content.config.content_dim, seed)
    projection = _apart(seen, seen @ projection, content.config.content_dim, seed)
    start = None
    if teacher.kind == "voice" and teacher.content.codebook.shape == content.codebook.shape:
        projection = projection @ _turn(seen @ projection, taught)
        start = means(seen @ projection, teacher.content.quantizer.nearest(taught[None])[0], len(content.codebook))
    content.projection.copy_(projection)
    content.quantizer.initialise(seen @ projection, iterations=_ITERATIONS, seed=seed, start=start)


def _apart(vectors: Tensor, clustered: Tensor, dims: int, seed: int) -> Tensor:
    """The projection [D, dims] of vectors [N, D] where clusters of the same frames [N, C] lie apart."""
    count = min(_CLASSES, len(clustered))
    labels = torch.from_numpy(clusterings(clustered, (count,), seed)[:, 0]).long()
    return discriminant(vectors, labels, count, dims)


def _turn(vectors: Tensor, wanted: Tensor) -> Tensor:
    """The rotation [D, D] that brings vectors [N, D] nearest to others [N, D] (Schönemann 1966)."""
    left, _, right = torch.linalg.svd(vectors.T.double() @ wanted.double())
    turn: Tensor = (left @ right).float()
    return turn


def _frames(model: VoiceModel, dataset: AudioDataset, settings: Settings) -> Frames:
    return frames_of(dataset, model.content, settings.task.teacher, settings.task.clusters, settings.loop.seed)


def _weights(dataset: AudioDataset, settings: Settings) -> NDArray[np.float64]:
    return draw_probabilities(dataset, settings.task.source_shares)


def _perplexity(model: VoiceModel, dataset: AudioDataset) -> float:
    """Of the codes of held-out utterances."""
    held = first_seconds(dataset, evenly_spaced(dataset.validation, _HELD), PITCH_HOP, _SECONDS)
    codes = torch.cat([model.content.encode(x).flatten() for x in held])
    shares = torch.bincount(codes) / len(codes)
    return float(torch.special.entr(shares).sum().exp())
