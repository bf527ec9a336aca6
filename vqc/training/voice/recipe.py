"""The recipe of `voice` models: the content encoder first, then decoder and speaker encoder, at the end the voices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqc.data.batches import WHOLE, Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.entropy.tables import ideal_bits
from vqc.errors import TrainingError
from vqc.models.voice.content import ContentConfig
from vqc.models.voice.fitting import FITTED_SECONDS, fitted_vector
from vqc.models.voice.model import SAMPLE_RATE, VoiceModel
from vqc.models.voice.traits import Traits
from vqc.nn.pitch import PITCH_HOP
from vqc.training.recipe import Exported, UtteranceRecipe, check_same_settings, round_to_stored, trained_codec
from vqc.training.sampling import draw_items, draw_probabilities, first_seconds
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables
from vqc.training.voice.data import VoiceData
from vqc.training.voice.sources import take_sources
from vqc.training.voice.task import VoiceTask, VoiceTaskConfig

_REFERENCE_SECONDS = 120.0  # of a voice that comes with the model
_SOURCE_UTTERANCES = 20


class VoiceRecipe(UtteranceRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = VoiceTaskConfig
    export_loops = 2

    def initialise(self, model: VoiceModel, dataset: AudioDataset, settings: Settings) -> None:
        recordings_of_voices(model, dataset, settings.task)  # an error is told before the work
        _place_content(model, settings)
        if settings.task.sources:
            chosen = draw_items(dataset, _SOURCE_UTTERANCES, None, seed=settings.loop.seed)
            take_sources(model, settings.task.sources, [_beginning(dataset, i) for i in chosen])
        round_to_stored(model)  # the decoder learns from the codes that the model file will give

    def warm_start(self, model: VoiceModel, path: str, dataset: AudioDataset, settings: Settings) -> None:
        """Take over all but the voices, and the content encoder from another file where one is given."""
        recordings_of_voices(model, dataset, settings.task)
        trained = trained_codec(path, VoiceModel)
        own = content_settings(model.config) if settings.task.content else {}
        check_same_settings(path, replace(trained.config, speakers=(), **own), replace(model.config, speakers=()))
        anew = ("voices", "static_table", "content.") if settings.task.content else ("voices", "static_table")
        state = {name: tensor for name, tensor in trained.state_dict().items() if not name.startswith(anew)}
        model.load_state_dict(state, strict=False)
        if settings.task.content:
            _place_content(model, settings)
        round_to_stored(model)

    def make_task(self, model: VoiceModel, dataset: AudioDataset, settings: Settings, shard: Shard) -> VoiceTask:
        if shard != WHOLE:
            raise TrainingError("models of kind voice are trained by one process; start it without torchrun")
        data = VoiceData(dataset, model, settings.task.source_shares)
        return VoiceTask(model, data, settings.task, seed=settings.loop.seed)

    @torch.no_grad()
    def export(self, model: VoiceModel, dataset: AudioDataset, settings: Settings) -> Exported:
        config = settings.task
        round_to_stored(model.eval())
        data = VoiceData(dataset, model, config.source_shares)
        task = VoiceTask(model, data, config, seed=settings.loop.seed)
        set_contrast(task, config.contrast_share)
        for row, items in enumerate(recordings_of_voices(model, dataset, config)):
            traits = _traits_of(model, [_beginning(dataset, i) for i in _within(dataset, items, _REFERENCE_SECONDS)])
            model.voices[row] = torch.from_numpy(np.frombuffer(traits.to_bytes(), np.uint8).copy())
        probabilities = draw_probabilities(dataset, config.source_shares)
        chosen = draw_items(dataset, config.table_utterances, probabilities, seed=settings.loop.seed + 1)
        fill_static_tables(model, [_beginning(dataset, i) for i in chosen])
        held = first_seconds(dataset, evenly_spaced(dataset.validation, config.validation_utterances), PITCH_HOP, 10.0)
        seconds = sum(x.shape[1] for x in held) / SAMPLE_RATE
        figures = {"kbps": _static_bits(model, held) / seconds / 1000, **task.validate()}
        figures.pop("score")
        return Exported(model, {"quality_1": figures})

    def samples(self, dataset: AudioDataset, settings: Settings) -> list[Tensor]:
        return first_seconds(dataset, evenly_spaced(dataset.validation, 3), PITCH_HOP, 4.0)


def recordings_of_voices(model: VoiceModel, dataset: AudioDataset, config: VoiceTaskConfig) -> list[list[int]]:
    """Items of the data that each of the model's voices speaks; TrainingError when one has none."""
    if len(config.speakers) != len(model.config.speakers):
        raise TrainingError(
            f"task.speakers has {len(config.speakers)} texts for {len(model.config.speakers)} names in model.speakers; "
            "give one for each"
        )
    found = []
    for name, text in zip(model.config.speakers, config.speakers, strict=True):
        items = [i for i in dataset.training if text in dataset.names[i]]
        if not items:
            raise TrainingError(f"no recording has {text!r} in its name, of the voice {name}; change task.speakers")
        found.append(items)
    return found


@torch.no_grad()
def set_contrast(task: VoiceTask, share: float) -> None:
    """Set how much predicted frames are to differ more from the average than the network says, which blurs them.

    Of each band: the ratio of the deviations of real and predicted frames with speech, to the power `share`; not less
    than 1.
    """
    real, predicted = torch.zeros_like(task.model.contrast), torch.zeros_like(task.model.contrast)
    for batch in task.held_out():
        wanted, active = task.frames(batch.waveform)
        change, _ = task.predicted(batch, task.vectors(batch.other))
        active = active[..., None]
        centre = (wanted * active).sum(1, keepdim=True) / active.sum(1, keepdim=True).clamp_min(1)
        own = (change * active).sum(1, keepdim=True) / active.sum(1, keepdim=True).clamp_min(1)
        real = real + ((wanted - centre).square() * active).sum((0, 1))
        predicted = predicted + ((change - own).square() * active).sum((0, 1))
    ratio = (real / predicted.clamp_min(1e-3)).sqrt()
    task.model.contrast.copy_(ratio.clamp(1.0, 2.0) ** share)


def _within(dataset: AudioDataset, items: Sequence[int], seconds: float) -> Sequence[int]:
    """The first of the items, until they last so long."""
    ends = np.cumsum([int(dataset.lengths[i]) for i in items])
    return items[: 1 + int((ends < seconds * SAMPLE_RATE).sum())]


def _traits_of(model: VoiceModel, recordings: Sequence[Tensor]) -> Traits:
    """The traits of a voice that speaks recordings [1, T]; the decoder fits its vector to the first of them."""
    observer = model.observer()
    for x in recordings:
        observer.add(x.numpy())
    traits = observer.traits()
    first = torch.cat(list(recordings), 1)[:, : round(FITTED_SECONDS * SAMPLE_RATE)]
    return traits._replace(vector=fitted_vector(model, first, traits.vector))


def _static_bits(model: VoiceModel, signals: list[Tensor]) -> float:
    """Bits that the codes of signals [1, T] take with the static tables."""
    tables = model.static_frequencies(1)
    return sum(float(ideal_bits(model.to_symbols(model.encode(x, 1)[0].numpy()), tables)) for x in signals)


def content_settings(config: ContentConfig) -> dict[str, Any]:
    return {name: value for name, value in vars(config).items() if name.startswith("content_")}


def _place_content(model: VoiceModel, settings: Settings) -> None:
    """Take the content encoder over from a model file."""
    if not settings.task.content:
        raise TrainingError(
            "a model of kind voice begins with a trained content encoder: give the model file of scripts/recipes/"
            "voice-content with --set task.content=FILE"
        )
    trained = trained_codec(settings.task.content, VoiceModel)
    check_same_settings(settings.task.content, content_settings(trained.config), content_settings(model.config))
    model.content.load_state_dict(trained.content.state_dict())


def _beginning(dataset: AudioDataset, i: int, seconds: float = 20.0) -> Tensor:
    """The first seconds of an utterance, [1, T], T a multiple of 20 ms and not 0."""
    length = min(int(dataset.lengths[i]), int(seconds * SAMPLE_RATE))
    return torch.from_numpy(dataset.cut(i, 0, max(1, length // PITCH_HOP) * PITCH_HOP))[None]
