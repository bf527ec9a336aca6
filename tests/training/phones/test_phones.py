"""The phones model finds its codes itself: clusters, the projection that tells them apart, and a decoder to learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_packs import tones

from vqc.data.batches import WHOLE
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.phones.model import HOP, PhonesConfig, PhonesModel
from vqc.training.loop.config import LoopConfig
from vqc.training.phones.clusters import cepstra, discriminant, means, slope
from vqc.training.phones.recipe import PhonesRecipe, whole
from vqc.training.phones.task import PhonesTaskConfig
from vqc.training.settings import Settings

TINY = PhonesConfig(mels=16, context=2, codebook_size=8, codebook_dim=4, decoder_width=8, decoder_blocks=1)
TASK = PhonesTaskConfig(batch_size=2, crop=6_400, validation_utterances=1, start_utterances=4, table_utterances=4)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDataset:
    """Tones of which another begins every 100 ms, in noise, each recording through another microphone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tones(louder=1)


@pytest.fixture
def settings() -> Settings:
    return Settings(kind="phones", model=TINY, task=TASK, loop=LoopConfig(steps=3))


def started(dataset: AudioDataset, settings: Settings) -> PhonesModel:
    torch.manual_seed(0)
    model = PhonesModel(TINY)
    PhonesRecipe().initialise(model, dataset, settings)
    return model.eval()


def test_codes_tell_tones_apart_before_any_training(dataset: AudioDataset, settings: Settings) -> None:
    model = started(dataset, settings)
    held = whole(dataset, 0)
    codes = model.encode(held, 1).flatten()
    loudest = torch.fft.rfft(held.view(-1, HOP)).abs().argmax(-1)
    right = sum(int((loudest[codes == k] == loudest[codes == k].mode().values).sum()) for k in codes.unique())
    assert right / len(codes) > 0.9


def test_the_discriminant_finds_where_classes_differ() -> None:
    """They differ along one axis whose variance is small; principal components would not see it."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (4_000,), generator=generator)
    vectors = torch.randn(4_000, 40, generator=generator) * 3
    vectors[:, 7] = labels + 0.1 * torch.randn(4_000, generator=generator)
    first = discriminant(vectors, labels, 4, 2)[:, 0]
    assert first.abs().argmax() == 7
    at = vectors @ first[:, None]
    assert float((at - means(at, labels, 4)[labels]).square().mean()) == pytest.approx(1, abs=0.05)


def test_cepstra_are_of_unit_variance_and_know_of_no_gain() -> None:
    frames = torch.randn(500, 16)
    torch.testing.assert_close(cepstra(frames).square().mean(0).sqrt(), torch.ones(39))
    torch.testing.assert_close(cepstra(frames + 3), cepstra(frames), atol=1e-4, rtol=1e-4)


def test_the_slope_is_that_of_a_line() -> None:
    line = torch.arange(20.0)[:, None] * 3 + 1
    torch.testing.assert_close(slope(line)[2:-2], torch.full((16, 1), 3.0))


def test_a_run_learns_to_speak_and_leaves_the_codes_alone(
    dataset: AudioDataset, settings: Settings, tmp_path: Path
) -> None:
    recipe, model = PhonesRecipe(), started(dataset, settings)
    codes = model.encode(whole(dataset, 0), 1)
    task = recipe.make_task(model, dataset, settings, WHOLE)
    before = task.validate()
    optimizer = torch.optim.Adam(model.parameters(), 3e-2)
    for step in range(20):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    assert task.validate()["score"] < 0.7 * before["score"]
    exported = recipe.export(model, dataset, settings)
    assert exported.figures["quality_1"]["kbps"] < 0.3
    recipe.save(tmp_path / "phones.safetensors", exported, "phones", {})
    loaded = load_checkpoint(tmp_path / "phones.safetensors").model
    assert torch.equal(loaded.encode(whole(dataset, 0), 1), codes)
    again = PhonesModel(TINY)
    recipe.warm_start(again, str(tmp_path / "phones.safetensors"), dataset, settings)
    assert torch.equal(again.encode(whole(dataset, 0), 1), codes)
    with pytest.raises(TrainingError, match="same"):
        recipe.warm_start(PhonesModel(PhonesConfig()), str(tmp_path / "phones.safetensors"), dataset, settings)


def test_crops_are_of_whole_pitch_frames() -> None:
    with pytest.raises(ValueError, match="crop is 100"):
        PhonesTaskConfig(crop=100)
