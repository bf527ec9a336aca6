"""The task of the speech model: crops with their pitch, and rates that are held, in every precision."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import SPEECH as CONFIG
from tiny_packs import audio_pack
from torch import Tensor

from vqc.data.batches import WHOLE, Shard
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.speech.model import CODE_HOP, SpeechModel
from vqc.nn.pitch import track_pitch
from vqc.training.settings import resolve
from vqc.training.speech import task as speech
from vqc.training.speech.export import calibrate, draw_utterances, without_idle_entries
from vqc.training.speech.recipe import SpeechRecipe
from vqc.training.speech.task import SpeechData, SpeechTask, SpeechTaskConfig, pitch_of

pytest.importorskip("pesq")
pytest.importorskip("pystoi")

TASK = SpeechTaskConfig(
    batch_size=4,
    frames=5,
    quality_weights=(1, 1),
    envelope_bps=(40, 40),
    waveform_bps=(0, 300),
    validation_utterances=1,
)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDataset:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    generator = np.random.default_rng(0)
    tones = [0.2 * np.sign(np.sin(np.arange(9_000 + 1_500 * i) * 2 * np.pi / (80 + 9 * i))) for i in range(4)]
    return audio_pack([(tone + generator.normal(0, 0.01, len(tone))).astype(np.float32) for tone in tones])


def make_task(dataset: AudioDataset, shard: Shard = WHOLE) -> SpeechTask:
    torch.manual_seed(0)
    model = SpeechModel(CONFIG)
    for name, buffer in model.named_buffers():
        if ".codebook_" in name:
            buffer.normal_(std=3)
    return SpeechTask(model.train(), SpeechData(dataset), TASK, shard=shard)


def batch_of(task: SpeechTask, quality: int) -> tuple[Tensor, Tensor, int]:
    return next(batch for step in range(50) if (batch := task.batch(step))[2] == quality)


def test_pitch_is_that_of_each_recording_and_tracked_once(
    dataset: AudioDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, starts = pitch_of(dataset)
    for i, (start, length) in enumerate(zip(starts.tolist(), dataset.lengths.tolist(), strict=True)):
        periods = length // 320
        alone = track_pitch(torch.from_numpy(dataset.cut(i, 0, periods * 320))[None])[0]
        assert states[start : start + periods].tolist() == alone.tolist()
    monkeypatch.setattr(speech, "track_pitch", None)
    assert np.array_equal(pitch_of(dataset)[0], states)


def test_processes_together_take_the_whole_batch(dataset: AudioDataset) -> None:
    waveform, pitch, quality = make_task(dataset).batch(3)
    assert waveform.shape == (4, 5 * CODE_HOP)
    parts = [make_task(dataset, Shard(rank, 2)).batch(3) for rank in range(2)]
    assert torch.equal(torch.cat([part[0] for part in parts]), waveform)
    assert torch.equal(torch.cat([part[1] for part in parts]), pitch)
    assert {part[2] for part in parts} == {quality}


@pytest.mark.parametrize("quality", [1, 2])
def test_autocast_changes_nothing(dataset: AudioDataset, quality: int) -> None:
    totals = []
    for enabled in (False, True):
        task = make_task(dataset)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses = task.loss(batch_of(task, quality), 0)
        losses.total.backward()  # type: ignore[no-untyped-call]
        totals.append(float(losses.total.detach()))
    assert totals[0] == totals[1]


def test_the_commitment_weighs_more_when_the_envelope_takes_too_many_bits(dataset: AudioDataset) -> None:
    for target, heavier in ((1.0, True), (10_000.0, False)):
        task = make_task(dataset)
        task.config = SpeechTaskConfig(envelope_bps=(target, target), waveform_bps=(0, target))
        before = task.model.ema_commitment_weight.clone(), task.model.waveform_gain.clone()
        task.loss(batch_of(task, 2), 0)
        assert bool(task.model.ema_commitment_weight[1] > before[0][1]) == heavier
        assert bool((task.model.waveform_gain[1] < before[1][1]).all()) == heavier
        assert task.model.ema_commitment_weight[0] == before[0][0], "the other quality is not touched"


def test_a_finished_model_has_no_idle_entries_and_trains_on(dataset: AudioDataset, tmp_path: Path) -> None:
    """Also when its waveform is to be cut into other groups."""
    settings = resolve({"kind": "speech"})
    settings = dataclasses.replace(settings, task=dataclasses.replace(TASK, table_utterances=8))
    recipe, model = SpeechRecipe(), make_task(dataset).model.eval()
    heard = draw_utterances(SpeechData(dataset), 3)
    hits, whole = calibrate(model, heard, TASK), heard[0]
    trimmed = without_idle_entries(model, hits)
    assert trimmed.codebook_sizes(2) < model.codebook_sizes(2)
    for quality in (1, 2):
        codes = trimmed.encode(whole, quality)
        assert torch.equal(codes, model.encode(whole, quality))  # whose entries were sorted, too
        assert all(int(code.max()) < size for code, size in zip(codes[0], trimmed.codebook_sizes(quality), strict=True))
        torch.testing.assert_close(trimmed.decode(codes, quality), model.decode(codes, quality))
    save_checkpoint(tmp_path / "trimmed.safetensors", trimmed, name="trimmed", training={}, figures={})
    for groups in (CONFIG.waveform_groups, ((20, 2, 16),)):
        again = SpeechModel(dataclasses.replace(CONFIG, waveform_groups=groups))
        recipe.warm_start(again, str(tmp_path / "trimmed.safetensors"), dataset, settings)
        assert torch.equal(again.decoder.state_dict()["output.weight"], trimmed.decoder.state_dict()["output.weight"])
        task = SpeechTask(again.train(), SpeechData(dataset), TASK)
        losses = task.loss(batch_of(task, 2), 0)
        assert torch.isfinite(losses.total)
        assert abs(float(losses.logged["waveform_bps"]) - 300) < 150
    with pytest.raises(TrainingError, match=r"same .model. settings"):
        other = SpeechModel(dataclasses.replace(CONFIG, mels=24))
        recipe.warm_start(other, str(tmp_path / "trimmed.safetensors"), dataset, settings)
