"""Training of the photo model on a handful of synthetic photos: the start, the task, and what is shipped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_packs import image_pack

from vqc.data.batches import Shard
from vqc.data.datasets import ImageDataset
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.photo.model import DC_COUNT, PhotoConfig, PhotoModel
from vqc.training.photo import recipe as photo_recipe
from vqc.training.photo.export import refit, sample_images, without_idle_entries
from vqc.training.photo.recipe import PhotoRecipe
from vqc.training.photo.task import PhotoTask, PhotoTaskConfig, centres, initialise, rate_distortion
from vqc.training.settings import resolve

CONFIG = PhotoConfig(
    lambdas=(4000.0, 400.0),
    shapes=((9, 1, 16), (10, 2, 32)),
    widths=(8, 12, 16),
    analysis_blocks=((4,), (12,), (16,)),
    synthesis_blocks=((8,), (12,), (16,)),
    prediction_width=8,
    default_quality=2,
)
TASK = PhotoTaskConfig(side=64, validation_side=64, batch_size=2)


@pytest.fixture(scope="module")
def data() -> ImageDataset:
    """21 pictures of overlapping rectangles with a little noise: two are held out."""
    images = []
    generator = np.random.default_rng(0)
    for _i in range(21):
        pixels = np.full((80, 96, 3), generator.integers(0, 256, 3), np.float64)
        for _ in range(12):
            top, left = generator.integers(0, 70, 2)
            pixels[top : top + generator.integers(5, 50), left : left + generator.integers(5, 50)] = generator.integers(
                0, 256, 3
            )
        pixels += generator.normal(0, 4, pixels.shape)
        images.append(pixels.clip(0, 255).astype(np.uint8))
    return image_pack(images, held_out=(0, 20))


@pytest.fixture(scope="module")
def started(data: ImageDataset) -> PhotoModel:
    torch.manual_seed(0)
    model = PhotoModel(CONFIG).eval()
    initialise(model, data, crops=6)
    return model


def test_processes_see_the_rows_of_the_whole_batch(data: ImageDataset, started: PhotoModel) -> None:
    config = PhotoTaskConfig(side=64, validation_side=64, batch_size=8)
    images, levels = PhotoTask(started, data, config, seed=3).batch(5)
    parts = [PhotoTask(started, data, config, seed=3, shard=Shard(rank, 2)).batch(5) for rank in range(2)]
    assert torch.equal(torch.cat([part[0] for part in parts]), images)
    assert torch.equal(torch.cat([part[1] for part in parts]), levels)
    assert [len(set(part[1].tolist())) for part in parts] == [2, 2], "codebook statistics are added up level by level"
    with pytest.raises(TrainingError, match="even part"):
        PhotoTask(started, data, config, shard=Shard(0, 8))


def test_batches_depend_on_step_alone_and_all_levels_come(data: ImageDataset, started: PhotoModel) -> None:
    task, again = (PhotoTask(started, data, TASK) for _ in range(2))
    images, levels = task.batch(5)
    task.batch(6)
    same_images, same_levels = again.batch(5)
    assert torch.equal(images, same_images)
    assert torch.equal(levels, same_levels)
    assert not torch.equal(images, task.batch(6)[0])
    assert sorted(levels.tolist()) == [0, 1]


def test_the_start_is_a_codec_already(data: ImageDataset, started: PhotoModel) -> None:
    """More bits at the higher quality buy a better picture, and a better one than the mean colours of the blocks."""
    images = list(centres(data, data.validation))
    low, high = rate_distortion(started, images)
    flat = np.mean([-10 * np.log10(float((x - mean_colours(x)).square().mean())) for x in images])
    assert high.bits_per_pixel_ideal > low.bits_per_pixel_ideal
    assert high.psnr > low.psnr > flat + 1


def test_a_few_steps_lower_the_loss(data: ImageDataset, started: PhotoModel) -> None:
    torch.manual_seed(0)
    model = PhotoModel(CONFIG)
    model.load_state_dict(started.state_dict())
    model.train()
    task = PhotoTask(model, data, TASK)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    batch = task.batch(0)
    losses = []
    for _ in range(12):
        loss = task.loss(batch, 0).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.97 * losses[0]


def mean_colours(image: torch.Tensor) -> torch.Tensor:
    """Each block of 16 x 16 pixels in its mean colour."""
    small = torch.nn.functional.avg_pool2d(image, 16)
    return small.repeat_interleave(16, 2).repeat_interleave(16, 3)


@pytest.fixture
def trained(started: PhotoModel) -> PhotoModel:
    model = PhotoModel(CONFIG)
    model.load_state_dict(started.state_dict())
    return model.eval()


def test_what_is_idle_is_dropped_without_a_change(data: ImageDataset, trained: PhotoModel) -> None:
    """A code map that always says the same thing is not sent, an entry that nothing took is not kept."""
    images = sample_images(data, 4, side=64)
    hits = refit(trained, images)
    for probability in (trained.quantizer.probability_0, trained.quantizer.probability_1):
        assert torch.allclose(probability.sum(-1), torch.ones(()), atol=1e-5)
    for level_hits in hits:  # make the last four maps idle, their only code being 7
        level_hits[1][-4:] = 0
        level_hits[1][-4:, 7] = 1000
    idle = trained.quantizer.codebook_1[:, -4:, 7].clone()
    trimmed = without_idle_entries(trained, hits)
    assert torch.equal(trimmed.quantizer.codebook_1[:, -4:, 0], idle)
    for level, level_hits in enumerate(hits):
        sizes = trimmed.codebook_sizes(level + 1)
        assert len(sizes) == DC_COUNT + 9 + 6
        taken = [int((h > 0).sum(-1).max()) for h in (level_hits[0], level_hits[1][:6])]
        assert sizes[DC_COUNT:] == (taken[0],) * 9 + (taken[1],) * 6
        codes = trained.encode(images[0], level + 1)  # its entries are sorted, too
        sent = codes[:, : len(sizes)]
        assert torch.equal(trimmed.encode(images[0], level + 1), sent)
        full = torch.cat([sent, torch.zeros_like(codes[:, len(sizes) :])], 1)
        with torch.no_grad():
            torch.testing.assert_close(trimmed.decode(sent, level + 1), trained.decode(full, level + 1))
    assert max(trimmed.codebook_sizes(1)[DC_COUNT:]) < 32


def test_a_trimmed_model_trains_on(
    data: ImageDataset, trained: PhotoModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sample_images(data, 4, side=64)
    trimmed = without_idle_entries(trained, refit(trained, images))
    file, settings = tmp_path / "trimmed.safetensors", resolve({"kind": "photo"})
    save_checkpoint(file, trimmed, name="trimmed", training={}, figures={})
    cut_otherwise = dataclasses.replace(CONFIG, shapes=((4, 1, 24), (5, 1, 16), (10, 2, 20)))
    with monkeypatch.context() as patch:
        patch.setattr(photo_recipe, "reseed_dead", lambda model, images: None)
        for config in (CONFIG, dataclasses.replace(CONFIG, shapes=((4, 1, 32), (5, 1, 32), (10, 2, 32)))):
            model = PhotoModel(config)
            PhotoRecipe().warm_start(model, str(file), data, settings)
            for level in (1, 2):
                sent = trimmed.encode(images[1], level)
                assert torch.equal(model.eval().encode(images[1], level)[:, : sent.shape[1]], sent)
    for config in (CONFIG, cut_otherwise):
        model = PhotoModel(config)
        PhotoRecipe().warm_start(model, str(file), data, settings)
        loss = PhotoTask(model.train(), data, TASK).loss((images[0], torch.tensor([1])), 0)
        assert torch.isfinite(loss.total)
        assert all(t.isfinite().all() for t in model.state_dict().values())
    narrower = PhotoModel(dataclasses.replace(CONFIG, shapes=((9, 1, 16), (10, 4, 2))))
    with pytest.raises(TrainingError, match=r"same .model. settings"):
        PhotoRecipe().warm_start(narrower, str(file), data, settings)
