"""The paper models learn: free latents first, then through a codebook placed by k-means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_packs import audio_pack, image_pack

from vqc.data.batches import ImageBatches, WaveformBatches
from vqc.errors import OptionError, TrainingError
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.trainer import Trainer
from vqc.training.vqvae.task import ReconstructionConfig, ReconstructionTask, evaluate


def smooth_images(count: int, seed: int) -> np.ndarray:
    """Ramps of random colours and directions, uint8 [N, 3, 16, 16]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] / 15 - 0.5
    slopes = random.uniform(-1, 1, (2, count, 3, 1, 1))
    return np.clip(255 * (0.5 + slopes[0] * x + slopes[1] * y), 0, 255).astype(np.uint8)


@pytest.fixture
def task() -> ReconstructionTask:
    torch.manual_seed(0)
    config = ImageVQVAEConfig(widths=(8, 16), residual_width=8, codebook_size=32, codebook_dim=8)
    images = smooth_images(200, 0)
    return ReconstructionTask(
        ImageVQVAE(config),
        ImageBatches(image_pack(list(images.transpose(0, 2, 3, 1))), batch_size=16, seed=0),
        [torch.from_numpy(smooth_images(50, 1)).float() / 255],
        ReconstructionConfig(batch_size=16, free_steps=30),
        variance=float((images / 255).var()),
    )


def test_the_loss_is_equation_3_in_units_of_the_variance(task: ReconstructionTask) -> None:
    task.config = ReconstructionConfig(free_steps=0)
    batch = task.batch(5)
    out = task.model.eval()(batch)
    losses = task.loss(batch, 5)
    z = task.model.latents(batch)
    e = task.model.quantizer.decode(out.latents.codes)
    expected = (out.signal - batch).square().mean() / task.variance + 0.25 * (z - e).square().mean()
    torch.testing.assert_close(losses.total, expected)


def test_an_image_model_learns_through_its_codebook(task: ReconstructionTask, tmp_path: Path) -> None:
    Trainer(task, LoopConfig(steps=80, learning_rate=1e-2, warmup_steps=5, ema_decay=0.9), tmp_path).run()
    figures = evaluate(task.model, task.validation)
    assert figures["mse"] < 0.5 * task.variance, "a constant grey has 1"
    assert figures["perplexity"] > 12


def test_a_waveform_model_learns_through_its_codebook(tmp_path: Path) -> None:
    torch.manual_seed(0)
    times = np.arange(6_000) / 16_000
    waveforms = [np.sin(2 * np.pi * hz * times).astype(np.float32) * 0.5 for hz in (150, 200, 270)]
    config = AudioVQVAEConfig(
        widths=(8, 16, 16), strides=(4, 2, 2), residual_layers=1, residual_width=8, codebook_size=32, codebook_dim=8
    )
    task = ReconstructionTask(
        AudioVQVAE(config),
        WaveformBatches(audio_pack([*waveforms, waveforms[0]], held_out=[3]), length=512, batch_size=8, seed=0),
        [torch.from_numpy(np.stack(waveforms)[:, :4_096])],
        ReconstructionConfig(batch_size=8, free_steps=30),
        variance=0.125,
    )
    Trainer(task, LoopConfig(steps=80, learning_rate=1e-2, warmup_steps=5, ema_decay=0.9), tmp_path).run()
    assert evaluate(task.model, task.validation)["mse"] < 0.25 * task.variance


def test_figures_are_over_all_samples_of_clamped_reconstructions(task: ReconstructionTask) -> None:
    model = task.model.eval()
    with torch.no_grad():
        model.decoder.up[-1].bias += 2  # every pixel is clamped to 1
    batches = [torch.full((1, 3, 8, 8), 0.5), torch.zeros(3, 3, 8, 8)]
    figures = evaluate(model, batches)
    assert figures["mse"] == pytest.approx((0.25 + 3) / 4)
    assert figures["psnr"] == pytest.approx(-10 * np.log10(3.25 / 4))
    assert 1 <= figures["perplexity"] <= figures["codes_used"] <= 4 * 4
    codes = torch.cat([model.encode(batch, 1).flatten() for batch in batches])
    assert figures["codes_used"] == len(codes.unique())


def test_waveforms_are_measured_against_their_power() -> None:
    torch.manual_seed(0)
    config = AudioVQVAEConfig(widths=(4, 4), strides=(4, 4), residual_width=4, codebook_size=4, codebook_dim=2)
    model = AudioVQVAE(config).eval()
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)  # silence, whatever the codes
    loud, quiet = torch.full((1, 1_600), 0.5), torch.full((1, 800), 0.1)
    figures = evaluate(model, [loud, quiet])
    assert figures["mse"] == pytest.approx((2 * 0.25 + 0.01) / 3)
    assert figures["relative_mse"] == pytest.approx(1)
    assert figures["snr"] == pytest.approx(0, abs=1e-5)
    assert figures["mel"] > 1


def test_the_codebook_is_placed_once_and_on_enough_latents(task: ReconstructionTask) -> None:
    task.config = ReconstructionConfig(free_steps=3)
    drawn: list[int] = []
    batches = task.batches
    task.batches = lambda step: (drawn.append(step), batches(step)[:1, :, :4, :4])[1]  # one latent a batch
    batch = torch.rand(16, 3, 16, 16)
    task.loss(batch, 2)
    assert not drawn
    task.loss(batch, 3)
    assert drawn == list(range(3, 3 + 4 * 32)), "four latents for each of 32 entries"
    task.loss(batch, 3)  # another batch of the same step, when gradients are accumulated
    assert len(drawn) == 4 * 32


def test_a_codebook_that_a_run_begins_with_is_trained_on_from_the_first_step(task: ReconstructionTask) -> None:
    """Steps without it would let latents drift away from where its entries are."""
    task.model.quantizer.reset_ema()
    before = task.model.quantizer.codebook.clone()
    assert "perplexity" in task.loss(task.batch(0), 0).logged
    assert not torch.equal(task.model.quantizer.codebook, before)


def test_the_score_is_the_squared_error_unless_there_are_other_losses(task: ReconstructionTask) -> None:
    task.model.eval()
    figures = task.validate()
    assert figures["score"] == figures["mse"]
    both = ReconstructionTask(
        task.model, task.batches, task.validation, ReconstructionConfig(mse=0.5, l1=2.0), variance=0.25
    )
    (batch,) = task.validation
    error = task.model(batch).signal - batch
    expected = 0.5 * error.square().mean() / 0.25 + 2 * error.abs().mean() / 0.5
    assert both.validate()["score"] == pytest.approx(expected.item(), rel=1e-5)
    assert both.validate()["mse"] == figures["mse"]


def test_the_decibels_of_a_step_are_those_of_its_squared_error(task: ReconstructionTask) -> None:
    for step in (0, 50):
        logged = task.loss(task.batch(0), step).logged
        assert float(logged["psnr"]) == pytest.approx(-10 * np.log10(float(logged["mse"])), rel=1e-4)


def test_a_loss_is_needed() -> None:
    with pytest.raises(ValueError, match="nothing compares"):
        ReconstructionConfig(mse=0.0)


@pytest.mark.parametrize("name", ["stft", "mel"])
def test_images_are_not_compared_as_sounds(task: ReconstructionTask, name: str) -> None:
    with pytest.raises(OptionError, match=f"'{name}' compares sounds"):
        ReconstructionTask(task.model, task.batches, task.validation, ReconstructionConfig(**{name: 1.0}), variance=1.0)


def test_constant_signals_are_refused(task: ReconstructionTask) -> None:
    with pytest.raises(TrainingError, match="constant"):
        ReconstructionTask(task.model, task.batches, task.validation, variance=0.0)
