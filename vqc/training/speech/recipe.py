"""The recipe of `speech` models: linear transform and codebooks first, networks next, rates set at the end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.models.speech.model import CODE_HOP, SAMPLE_RATE, SpeechModel
from vqc.training.recipe import Exported, UtteranceRecipe, check_same_settings, round_to_stored, trained_codec
from vqc.training.settings import Settings
from vqc.training.speech.export import calibrate, draw_utterances, without_idle_entries
from vqc.training.speech.task import SpeechData, SpeechTask, SpeechTaskConfig, initialise, score_qualities
from vqc.training.tables import fill_static_tables


class SpeechRecipe(UtteranceRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = SpeechTaskConfig
    export_loops = 3

    def initialise(self, model: SpeechModel, dataset: AudioDataset, settings: Settings) -> None:
        data = SpeechData(dataset, settings.task.source_shares)
        initialise(model, data, settings.task, seed=settings.loop.seed)

    def warm_start(self, model: SpeechModel, path: str, dataset: AudioDataset, settings: Settings) -> None:
        trained = trained_codec(path, SpeechModel)
        check_same_settings(path, _architecture_key(trained), _architecture_key(model))
        quantized = ("static_table", "envelope_vq.", "waveform_vq.")
        model.load_state_dict({k: v for k, v in trained.state_dict().items() if not k.startswith(quantized)}, False)
        model.envelope_vq.load_codebooks_from(trained.envelope_vq)
        if trained.waveform_vq.group_dims() == model.waveform_vq.group_dims():
            model.waveform_vq.load_codebooks_from(trained.waveform_vq)
        data = SpeechData(dataset, settings.task.source_shares)
        calibrate(model, draw_utterances(data, _utterances(settings)), settings.task)

    def make_task(self, model: SpeechModel, dataset: AudioDataset, settings: Settings, shard: Shard) -> SpeechTask:
        data = SpeechData(dataset, settings.task.source_shares)
        return SpeechTask(model, data, settings.task, seed=settings.loop.seed, shard=shard)

    def export(self, model: SpeechModel, dataset: AudioDataset, settings: Settings) -> Exported:
        data, task = SpeechData(dataset, settings.task.source_shares), settings.task
        round_to_stored(model.eval())
        counts = calibrate(model, draw_utterances(data, _utterances(settings)), task)
        round_to_stored(model)
        model = without_idle_entries(model, counts)
        fill_static_tables(model, draw_utterances(data, task.table_utterances, seed=2))
        return Exported(
            model, score_qualities(model, dataset, evenly_spaced(dataset.validation, task.validation_utterances))
        )

    def samples(self, dataset: AudioDataset, settings: Settings) -> list[Tensor]:
        return [
            torch.from_numpy(dataset.cut(i, 0, _whole_codes(dataset.lengths[i])))[None]
            for i in evenly_spaced(dataset.validation, 3)
        ]


def _utterances(settings: Settings) -> int:
    """Number of training utterances that codebooks are fitted to."""
    return max(1, int(settings.task.table_utterances) // 4)


def _architecture_key(model: SpeechModel) -> dict[str, Any]:
    """The settings that weights depend on: neither the cut of groups nor idle entries."""
    free = {"envelope_groups", "waveform_groups", "envelope_entries", "waveform_entries", "default_quality"}
    return {name: value for name, value in vars(model.config).items() if name not in free}


def _whole_codes(length: int) -> int:
    """Samples of at most four seconds of a recording, up to the end of its last code."""
    return -(-min(int(length), 4 * SAMPLE_RATE) // CODE_HOP) * CODE_HOP
