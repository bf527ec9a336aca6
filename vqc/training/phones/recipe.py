"""The recipe of `phones` models: projection and codebook first, which need no training; then the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vqc.data.batches import Prefetched, Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.models.phones.model import HOP, SAMPLE_RATE, SCALE, PhonesModel, subtract_mean
from vqc.nn.pitch import PITCH_HOP
from vqc.training.media import AUDIO
from vqc.training.phones.clusters import place
from vqc.training.phones.task import PhonesTask, PhonesTaskConfig
from vqc.training.recipe import Exported, UtteranceRecipe, load_trained, round_to_stored
from vqc.training.sampling import draw_items, draw_probabilities
from vqc.training.settings import Settings
from vqc.training.tables import fill_static_tables


class PhonesRecipe(UtteranceRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PhonesTaskConfig

    def initialise(self, model: PhonesModel, dataset: AudioDataset, settings: Settings) -> None:
        task = settings.task
        probabilities = draw_probabilities(dataset, task.source_shares)
        chosen = draw_items(dataset, task.start_utterances, probabilities, seed=settings.loop.seed)
        place(model, [whole(dataset, i, task.start_seconds) for i in chosen], seed=settings.loop.seed)
        round_to_stored(model)  # the decoder learns from the codes that the model file will give

    def warm_start(self, model: PhonesModel, path: str, dataset: AudioDataset, settings: Settings) -> None:
        load_trained(model, path)

    def make_task(self, model: PhonesModel, dataset: AudioDataset, settings: Settings, shard: Shard) -> PhonesTask:
        task = settings.task
        batches = AUDIO.batches(dataset, settings, shard)
        held = [whole(dataset, i) for i in evenly_spaced(dataset.validation, task.validation_utterances)]
        return PhonesTask(model, Prefetched(batches), held)

    def export(self, model: PhonesModel, dataset: AudioDataset, settings: Settings) -> Exported:
        task = settings.task
        round_to_stored(model.eval())
        probabilities = draw_probabilities(dataset, task.source_shares)
        chosen = draw_items(dataset, task.table_utterances, probabilities, seed=settings.loop.seed + 1)
        fill_static_tables(model, [whole(dataset, i) for i in chosen])
        held = [whole(dataset, i) for i in evenly_spaced(dataset.validation, task.validation_utterances)]
        return Exported(model, {"quality_1": figures(model, held)})

    def samples(self, dataset: AudioDataset, settings: Settings) -> list[Tensor]:
        return [whole(dataset, i, 4.0) for i in evenly_spaced(dataset.validation, 3)]


def whole(dataset: AudioDataset, i: int, seconds: float = 20.0) -> Tensor:
    """The first seconds of an utterance, [1, T], T a multiple of 20 ms and not 0."""
    length = min(int(dataset.lengths[i]), int(seconds * SAMPLE_RATE))
    return torch.from_numpy(dataset.cut(i, 0, max(1, length // PITCH_HOP) * PITCH_HOP))[None]


@torch.inference_mode()
def figures(model: PhonesModel, waveforms: Sequence[Tensor]) -> dict[str, float]:
    """Rate without container in kbps, perplexity of the codes, and mean error of the decoder's log-mel frames in dB."""
    codes = torch.cat([model.encode(x, 1).flatten() for x in waveforms]).numpy()
    table = model.static_frequencies(1)[0] / 2**16
    shares = np.bincount(codes, minlength=len(table)) / len(codes)
    used = shares[shares > 0]
    errors = []
    for x in waveforms:
        restored = model.decode(model.encode(x, 1), 1)
        errors.append(float((subtract_mean(model.log_mel(restored)) - subtract_mean(model.log_mel(x))).abs().mean()))
    return {
        "kbps": float(-np.log2(table[codes]).mean()) * SAMPLE_RATE / HOP / 1000,
        "perplexity": float(np.exp(-(used * np.log(used)).sum())),
        "log_mel_db": float(np.mean(errors)) / SCALE * 10 / np.log(10),
    }
