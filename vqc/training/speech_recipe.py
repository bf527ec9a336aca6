"""How the `speech` model is trained: linear transform and dictionaries first, networks next, rates set at the end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.packs import AudioPack, open_audio
from vqc.errors import TrainingError
from vqc.models.speech import CODE_HOP, SAMPLE_RATE, SpeechModel
from vqc.training.recipe import Finished, Progress, Recipe, round_to_stored, trained_codec
from vqc.training.settings import Settings
from vqc.training.speech import SpeechData, SpeechTask, SpeechTaskConfig, initialise, score_qualities, spread_out
from vqc.training.speech_export import calibrate, spoken
from vqc.training.tables import fill_static_tables


class SpeechRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = SpeechTaskConfig
    examples = "utterances"

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> AudioPack:
        return open_audio(sources, SAMPLE_RATE, download=download, progress=progress)

    def start(self, model: SpeechModel, pack: AudioPack, settings: Settings) -> None:
        data = SpeechData(pack, settings.task.source_shares)
        initialise(model, data, settings.task, seed=settings.loop.seed)

    def warm_start(self, model: SpeechModel, path: str, settings: Settings) -> None:
        trained = trained_codec(path, SpeechModel)
        if trained.config != model.config:
            raise TrainingError(f"a run goes on only from a model of the same [model] settings; {path} has others")
        model.load_state_dict(trained.state_dict())
        model.envelope_vq.resume()
        model.waveform_vq.resume()

    def make_task(self, model: SpeechModel, pack: AudioPack, settings: Settings, shard: Shard) -> SpeechTask:
        data = SpeechData(pack, settings.task.source_shares)
        return SpeechTask(model, data, settings.task, seed=settings.loop.seed, shard=shard)

    def finish(self, model: SpeechModel, pack: AudioPack, settings: Settings) -> Finished:
        data, task = SpeechData(pack, settings.task.source_shares), settings.task
        round_to_stored(model.eval())
        calibrate(model, spoken(data, max(1, task.table_utterances // 4)), task)
        round_to_stored(model)
        fill_static_tables(model, spoken(data, task.table_utterances, seed=2))
        return Finished(model, score_qualities(model, pack, spread_out(pack, task.validation_utterances)))

    def samples(self, pack: AudioPack, settings: Settings) -> list[Tensor]:
        return [torch.from_numpy(pack.cut(i, 0, _whole_codes(pack.lengths[i])))[None] for i in spread_out(pack, 3)]


def _whole_codes(length: int) -> int:
    """Samples of at most four seconds of a recording, up to the end of its last code."""
    return -(-min(int(length), 4 * SAMPLE_RATE) // CODE_HOP) * CODE_HOP
