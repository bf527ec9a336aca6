"""Training of voice models: crops and others of a voice, a decoder that learns, voices that come with the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import VOICE
from tiny_packs import audio_pack

from vqc.data.batches import WHOLE
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.speech.model import SpeechConfig
from vqc.models.voice.model import VoiceModel
from vqc.training.loop.config import LoopConfig
from vqc.training.settings import Settings
from vqc.training.voice.data import VoiceData, speaker_of
from vqc.training.voice.recipe import VoiceRecipe
from vqc.training.voice.sources import take_sources
from vqc.training.voice.task import VoiceTaskConfig, told_apart

TASK = VoiceTaskConfig(
    batch_size=4,
    frames=20,
    reference_seconds=0.5,
    speakers=("tiny/1", "tiny/3"),
    sources="",
    validation_utterances=1,
    table_utterances=3,
)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDataset:
    """Buzzes whose colour changes every 100 ms, of voices that differ in height and in how bright they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    waveforms = []
    for i in range(5):
        t = np.arange(16_000 * 2 + 320 * i) / 16_000
        centre = np.repeat(rng.choice([400, 1_200, 2_500], 30 + i), 1_600)[: len(t)]
        hz = 100 + 40 * i
        tones = (np.cos(2 * np.pi * k * hz * t) / (1 + ((k * hz - centre) / 300) ** 2) for k in range(1, 30))
        waveforms.append((0.05 * (i + 1) * sum(tones) + rng.normal(0, 0.003, len(t))).clip(-0.99, 0.99))
    return audio_pack([x.astype(np.float32) for x in waveforms])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    torch.manual_seed(0)
    trained = VoiceModel(replace(VOICE, speakers=()))
    save_checkpoint(tmp_path / "content.safetensors", trained, name="content", training={}, figures={})
    task = replace(TASK, content=str(tmp_path / "content.safetensors"))
    return Settings(kind="voice", model=VOICE, task=task, loop=LoopConfig(steps=3))


def started(dataset: AudioDataset, settings: Settings) -> VoiceModel:
    torch.manual_seed(1)
    model = VoiceModel(settings.model)
    VoiceRecipe().initialise(model, dataset, settings)
    return model


def test_a_run_learns_frames_and_leaves_the_codes_alone(
    dataset: AudioDataset, settings: Settings, tmp_path: Path
) -> None:
    recipe, model = VoiceRecipe(), started(dataset, settings)
    x = torch.from_numpy(dataset.cut(0, 0, 16_000))[None]
    codes = model.encode(x, 1)
    task = recipe.make_task(model, dataset, settings, WHOLE)
    before = task.validate()["score"]
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for step in range(30):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    assert task.validate()["score"] < 0.7 * before
    exported = recipe.export(model, dataset, settings)
    recipe.save(tmp_path / "voice.safetensors", exported, "voice", {})
    loaded = load_checkpoint(tmp_path / "voice.safetensors").model
    assert torch.equal(loaded.encode(x, 1), codes)
    pitches = [loaded.voice(name).pitch for name in VOICE.speakers]
    assert pitches[1] - pitches[0] == pytest.approx(np.log(220 / 140) / np.log(400 / 60) * 126, abs=2)
    assert (loaded.contrast >= 1).all()
    again = VoiceModel(replace(VOICE, speakers=("other",)))
    other = replace(settings, model=again.config, task=replace(settings.task, speakers=("tiny/2",), content=""))
    recipe.warm_start(again, str(tmp_path / "voice.safetensors"), dataset, other)
    assert torch.equal(again.decoder.output.weight, loaded.decoder.output.weight)


def test_a_run_goes_on_with_a_content_encoder_of_other_sizes(
    dataset: AudioDataset, settings: Settings, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "voice.safetensors", started(dataset, settings), name="v", training={}, figures={})
    wider = VoiceModel(replace(VOICE, content_hidden=VOICE.content_hidden + 2, speakers=()))
    save_checkpoint(tmp_path / "wider.safetensors", wider, name="content", training={}, figures={})
    model = VoiceModel(replace(wider.config, speakers=VOICE.speakers))
    task = replace(settings.task, content=str(tmp_path / "wider.safetensors"))
    VoiceRecipe().warm_start(model, str(tmp_path / "voice.safetensors"), dataset, replace(settings, task=task))
    x = torch.from_numpy(dataset.cut(0, 0, 16_000))[None]
    stored = load_checkpoint(tmp_path / "wider.safetensors").model
    assert torch.equal(model.encode(x, 1), stored.encode(x, 1))
    with pytest.raises(TrainingError, match="of the same"):
        narrow = replace(settings, task=replace(task, content=""))
        VoiceRecipe().warm_start(model, str(tmp_path / "voice.safetensors"), dataset, narrow)


def test_batches_are_functions_of_the_step(dataset: AudioDataset, settings: Settings) -> None:
    task = VoiceRecipe().make_task(started(dataset, settings), dataset, settings, WHOLE)
    first, again, next_one = task.batch(3), task.batch(3), task.batch(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.waveform, next_one.waveform)
    assert first.waveform.shape == (4, 20 * 320)
    assert (first.content.shape, first.pitch.shape, first.other.shape) == ((4, 40), (4, 20), (4, 8_000))


def test_crops_are_at_the_reference_level(dataset: AudioDataset, settings: Settings) -> None:
    model = started(dataset, settings)
    data = VoiceData(dataset, model)
    power = [float(data.whole(i, 2.0).waveform.square().mean()) for i in range(5)]
    assert max(power) < 1.5 * min(power)  # their own differ by 25


def test_frames_can_be_compared_as_they_are_heard(dataset: AudioDataset, settings: Settings) -> None:
    heard = replace(settings, task=replace(settings.task, spoken=1.0, frames=60))
    task = VoiceRecipe().make_task(started(dataset, heard), dataset, heard, WHOLE)
    losses = task.loss(task.batch(0), 0)
    losses.total.backward()
    assert float(losses.logged["spoken"]) > 0
    assert task.model.sources.output.weight.grad is not None


def test_vectors_of_other_voices_are_told_apart_and_those_of_the_same_are_not() -> None:
    own, voice = torch.eye(4), torch.tensor([0, 1, 2, 3])
    assert float(told_apart(own, own, voice)) < 0.01
    assert float(told_apart(own, own.roll(1, 0), voice)) > 5
    same = torch.ones(4, 4)
    assert float(told_apart(same, same, torch.zeros(4, dtype=torch.long))) < 1e-3
    assert float(told_apart(same, same, voice)) == pytest.approx(np.log(4), abs=1e-4)


def test_speakers_are_told_by_names_of_corpora_or_by_folders() -> None:
    assert speaker_of("a/train/19/198/19-198-0000.flac") == speaker_of("b/19-227-0004.opus") == "speaker 19"
    assert speaker_of("speech/LJ/LJ001-0001.opus") == "LJ"


def test_what_a_run_needs_is_told_before_the_work(dataset: AudioDataset, settings: Settings) -> None:
    model = VoiceModel(VOICE)
    for task, message in (
        (replace(settings.task, content=""), "begins with a trained content encoder"),
        (replace(settings.task, speakers=("tiny/1",)), "1 texts for 2 names"),
        (replace(settings.task, speakers=("tiny/1", "nobody")), "'nobody' in its name, of the voice ben"),
    ):
        with pytest.raises(TrainingError, match=message):
            VoiceRecipe().initialise(model, dataset, replace(settings, task=task))


def test_the_network_of_sources_is_that_of_a_speech_model(
    dataset: AudioDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer blocks are its first and last ones; what it saw of blocks of frames is predicted from frames."""
    from types import SimpleNamespace

    from tiny_models import SPEECH

    from vqc.models.speech.model import SpeechModel
    from vqc.training.voice import sources

    torch.manual_seed(0)
    config: SpeechConfig = replace(SPEECH, decoder_blocks=3)
    speech = SpeechModel(config).eval().requires_grad_(False)
    monkeypatch.setattr(sources, "load_model", lambda name: SimpleNamespace(model=speech))
    model = VoiceModel(replace(VOICE, mels=config.mels, source_width=config.width, source_blocks=2))
    waveforms = [torch.from_numpy(dataset.cut(i, 0, 25_600))[None] for i in range(3)]
    take_sources(model, "speech", waveforms)
    assert torch.equal(model.sources.blocks[1].expand.weight, speech.decoder.blocks[2].expand.weight)
    assert torch.equal(model.sources.level.weight[0], speech.decoder.level.weight[0])
    frames = speech.log_mel(waveforms[0])
    wanted = speech.decoder.spread(0.1 * speech.klt_coefficients(frames)).view(1, frames.shape[1], -1)
    found = model.sources.spread(0.1 * frames)
    assert (found - wanted).square().mean() < 0.9 * wanted.var()
    with pytest.raises(TrainingError, match="other sizes"):
        take_sources(VoiceModel(replace(VOICE, source_width=10)), "speech", waveforms)
