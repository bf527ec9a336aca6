"""The content encoder learns clusters from disguised speech, and gives codes that tell what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import VOICE
from tiny_packs import tones

from vqc.data.batches import WHOLE, Shard
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.phones.model import HOP, PhonesConfig, PhonesModel
from vqc.models.voice.model import VoiceModel
from vqc.training.loop.config import LoopConfig
from vqc.training.phones.recipe import PhonesRecipe
from vqc.training.phones.task import PhonesTaskConfig
from vqc.training.settings import Settings
from vqc.training.voice.content_data import ContentBatches, Frames, clusterings, frames_of
from vqc.training.voice.content_recipe import ContentRecipe
from vqc.training.voice.content_task import ContentTask, ContentTaskConfig
from vqc.training.voice.disguise import disguised, hidden_steps

MODEL = replace(
    VOICE,
    content_mels=16,
    content_mean=100,
    content_width=24,
    content_hidden=24,
    content_voice=(0,),
    content_reach=20,
    content_size=16,
    speakers=(),
)
PHONES = PhonesConfig(mels=16, context=2, codebook_size=8, codebook_dim=4, decoder_width=8, decoder_blocks=1)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDataset:
    """Tones of which another begins every 100 ms, in noise."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tones()


@pytest.fixture
def teacher(dataset: AudioDataset, tmp_path: Path) -> str:
    """File of a phones model of these tones."""
    task = PhonesTaskConfig(batch_size=2, crop=6_400, validation_utterances=1, start_utterances=4, table_utterances=4)
    settings = Settings(kind="phones", model=PHONES, task=task, loop=LoopConfig(steps=1))
    torch.manual_seed(0)
    recipe, model = PhonesRecipe(), PhonesModel(PHONES)
    recipe.initialise(model, dataset, settings)
    recipe.save(tmp_path / "phones.safetensors", recipe.export(model, dataset, settings), "phones", {})
    return str(tmp_path / "phones.safetensors")


def settings_for(teacher: str) -> Settings:
    task = ContentTaskConfig(
        teacher=teacher, clusters=(4, 8), batch_size=4, crop=100, codebook_utterances=4, table_utterances=4
    )
    return Settings(kind="voice-content", model=MODEL, task=task, loop=LoopConfig(steps=3))


def trained(recipe: ContentRecipe, dataset: AudioDataset, settings: Settings, steps: int) -> tuple[ContentTask, float]:
    """A task after some steps, and its score before."""
    torch.manual_seed(0)
    model = recipe.build(settings)
    recipe.initialise(model, dataset, settings)
    task = recipe.make_task(model, dataset, settings, WHOLE)
    before = task.validate()["score"]
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    return task, before


def first_round(
    recipe: ContentRecipe, dataset: AudioDataset, teacher: str, path: Path, steps: int
) -> tuple[VoiceModel, Settings]:
    """Write the model of a round of some steps; returns it, and the settings of the round that it teaches."""
    settings = settings_for(teacher)
    task, _ = trained(recipe, dataset, settings, steps)
    recipe.save(path, recipe.export(task.model, dataset, settings), "content", {})
    return task.model, settings_for(str(path))


def test_two_rounds_give_codes_that_tell_tones_apart(dataset: AudioDataset, teacher: str, tmp_path: Path) -> None:
    recipe = ContentRecipe()
    for turn, classes in enumerate((0, 8)):
        settings = replace(settings_for(teacher), model=replace(MODEL, content_classes=classes))
        task, before = trained(recipe, dataset, settings, 40)
        assert task.validate()["score"] < 0.9 * before
        exported = recipe.export(task.model, dataset, settings)
        teacher = str(tmp_path / f"round-{turn}.safetensors")
        recipe.save(Path(teacher), exported, "content", {})
    content = load_checkpoint(Path(teacher)).model.content
    held = torch.from_numpy(dataset.waveform(0))[None]
    codes = content.encode(held).flatten()
    assert torch.equal(codes, task.model.content.encode(held).flatten())
    loudest = torch.fft.rfft(held.view(-1, HOP)).abs().argmax(-1)
    right = sum(int((loudest[codes == k] == loudest[codes == k].mode().values).sum()) for k in codes.unique())
    assert right / len(codes) > 0.8


def test_the_second_round_goes_on_from_the_network_of_the_first(
    dataset: AudioDataset, teacher: str, tmp_path: Path
) -> None:
    recipe = ContentRecipe()
    first, again = first_round(recipe, dataset, teacher, tmp_path / "one.safetensors", 2)
    model = recipe.build(again)
    recipe.initialise(model, dataset, again)
    for found, wanted in zip(model.content.network.parameters(), first.content.network.parameters(), strict=True):
        assert torch.equal(found, wanted)


def test_a_wider_network_begins_as_the_teacher(dataset: AudioDataset, teacher: str, tmp_path: Path) -> None:
    recipe = ContentRecipe()
    first, again = first_round(recipe, dataset, teacher, tmp_path / "one.safetensors", 2)
    hidden = again.model.content_hidden
    model = recipe.build(replace(again, model=replace(again.model, content_hidden=hidden + 3)))
    recipe.initialise(model, dataset, again)
    frames = torch.randn(1, 40, again.model.content_mels)
    torch.testing.assert_close(model.content.network(frames), first.content.network(frames))
    narrower = recipe.build(replace(again, model=replace(again.model, content_hidden=hidden - 1)))
    with pytest.raises(TrainingError, match="wider hidden layers"):
        recipe.initialise(narrower, dataset, again)


def test_codes_of_the_next_round_keep_their_numbers_and_entries_their_places(
    dataset: AudioDataset, teacher: str, tmp_path: Path
) -> None:
    recipe = ContentRecipe()
    _, again = first_round(recipe, dataset, teacher, tmp_path / "one.safetensors", 40)
    first = load_checkpoint(tmp_path / "one.safetensors").model.content
    task, _ = trained(recipe, dataset, replace(again, loop=LoopConfig(steps=0)), 3)
    second = recipe.export(task.model, dataset, again).model.content
    held = torch.from_numpy(dataset.waveform(0))[None]
    same = (first.encode(held) == second.encode(held)).float().mean()
    assert same > 0.6  # of 16 codes that stand in any order a sixteenth would
    latents, before = (c.latents(c.log_mel(held)) for c in (second, first))
    assert (latents - before).square().mean() < before.square().mean()


def test_classes_are_one_of_the_clusterings_and_the_codebook_is_of_named_recordings(
    dataset: AudioDataset, teacher: str
) -> None:
    recipe, settings = ContentRecipe(), settings_for(teacher)
    other = replace(settings, model=replace(MODEL, content_classes=5))
    with pytest.raises(TrainingError, match=r"content_classes is 5; task.clusters has \[4, 8\]"):
        recipe.export(recipe.build(other), dataset, other)
    elsewhere = replace(settings, task=replace(settings.task, codebook_from="nowhere"))
    with pytest.raises(TrainingError, match="no recording has 'nowhere'"):
        recipe.export(recipe.build(elsewhere), dataset, elsewhere)


def test_only_models_of_speech_are_teachers(dataset: AudioDataset) -> None:
    model = ContentRecipe().build(settings_for("librispeech"))
    with pytest.raises(TrainingError, match="librispeech is of kind audio-vqvae"):
        frames_of(dataset, model.content, "librispeech", (4,), 0)


def test_more_clusters_than_frames_are_told(dataset: AudioDataset, teacher: str) -> None:
    model = ContentRecipe().build(settings_for(teacher))
    with pytest.raises(TrainingError, match="60,000 clusters"):
        frames_of(dataset, model.content, teacher, (60_000,), 0)


@pytest.fixture
def batches() -> ContentBatches:
    """Two utterances whose frames and targets tell their place."""
    place = np.arange(300, dtype=np.float32)
    frames = Frames(
        np.tile(place[:, None] / 100, (1, 8)).astype(np.float16),
        place[:, None].astype(np.int32),
        np.array([0, 200, 300]),
    )
    return ContentBatches(frames, range(2), [2.0, 1.0], batch=6, crop=60, seed=3)


def test_batches_are_a_function_of_the_step(batches: ContentBatches) -> None:
    whole = batches(5, WHOLE, 0.3)
    half = batches(5, Shard(1, 2), 0.3)
    for all_rows, rows in zip(whole, half, strict=True):
        assert torch.equal(all_rows[3:], rows)
    assert not torch.equal(batches(6, WHOLE, 0.3).frames, whole.frames)


def test_targets_follow_the_tempo_and_stay_in_the_utterance(batches: ContentBatches) -> None:
    for step in range(20):
        batch = batches(step, WHOLE, 0.3)
        targets, there = batch.targets[..., 0], batch.there
        for row, real in zip(targets, there, strict=True):
            change = row[real].diff()
            assert 1 <= change.min() <= change.max() <= 3  # 20 ms at tempos from 0.84 to 1.2
            assert int(row.max()) < 200 or int(row.min()) >= 200


def test_what_is_beyond_the_end_is_zero_and_the_rest_has_no_mean() -> None:
    there = torch.ones(5, 80, dtype=torch.bool)
    there[2, 50:] = False
    log_mel = torch.randn(5, 80, 16) - 6
    found = disguised(log_mel, there, 0.4, np.random.default_rng(0))
    assert (found[2, 50:] == 0).all()
    torch.testing.assert_close(found.sum(1), torch.zeros(5, 16), atol=1e-3, rtol=0)
    assert torch.equal(found, disguised(log_mel, there, 0.4, np.random.default_rng(0)))
    assert not torch.allclose(found, disguised(log_mel, there, 0.4, np.random.default_rng(1)))


def test_hidden_steps_are_spans() -> None:
    hidden = hidden_steps(50, 160, 0.35, np.random.default_rng(0))
    assert 0.35 <= hidden.float().mean() < 0.45
    starts = (hidden[:, 1:] & ~hidden[:, :-1]).sum()
    assert hidden.sum() / starts > 4  # steps of 20 ms in a span, on average


def test_clusterings_of_two_sizes() -> None:
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    which = torch.arange(4).repeat(50)
    vectors = centres[which] + 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    found = clusterings(vectors.half(), (4, 8), 0)
    assert found.shape == (200, 2)
    for k in range(8):
        assert len(which[found[:, 1] == k].unique()) <= 1
