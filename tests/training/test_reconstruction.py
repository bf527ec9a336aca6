"""The paper models learn: free latents first, then through a codebook placed by k-means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_packs import audio_pack, image_pack

from vqc.data.batches import ImageBatches, WaveformBatches
from vqc.errors import TrainingError
from vqc.models.audio_vqvae import AudioVQVAE, AudioVQVAEConfig
from vqc.models.image_vqvae import ImageVQVAE, ImageVQVAEConfig
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.reconstruction import ReconstructionTask, evaluate


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
        variance=float((images / 255).var()),
        free_steps=40,
    )


def test_the_loss_is_equation_3_in_units_of_the_variance(task: ReconstructionTask) -> None:
    task.free_steps = 0
    batch = task.batch(5)
    out = task.model.eval()(batch)
    losses = task.loss(batch, 5)
    z = task.model.latents(batch)
    e = task.model.quantizer.decode(out.latents.codes)
    expected = (out.signal - batch).square().mean() / task.variance + 0.25 * (z - e).square().mean()
    torch.testing.assert_close(losses.total, expected)


def test_an_image_model_learns_through_its_codebook(task: ReconstructionTask, tmp_path: Path) -> None:
    Trainer(task, LoopConfig(steps=120, learning_rate=5e-3, warmup_steps=5, ema_decay=0.9), tmp_path).run()
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
        variance=0.125,
        free_steps=40,
    )
    Trainer(task, LoopConfig(steps=160, learning_rate=5e-3, warmup_steps=5, ema_decay=0.9), tmp_path).run()
    assert evaluate(task.model, task.validation)["mse"] < 0.25 * task.variance


def test_figures_are_over_all_samples_of_clamped_reconstructions(task: ReconstructionTask) -> None:
    model = task.model.eval()
    with torch.no_grad():
        model.decoder.up[-1].bias += 2  # every pixel is clamped to 1
    batches = [torch.full((1, 3, 8, 8), 0.5), torch.zeros(3, 3, 8, 8)]
    figures = evaluate(model, batches)
    assert figures["mse"] == pytest.approx((0.25 + 3) / 4)
    assert 1 <= figures["perplexity"] <= 4 * 4


def test_constant_signals_are_refused(task: ReconstructionTask) -> None:
    with pytest.raises(TrainingError, match="constant"):
        ReconstructionTask(task.model, task.batches, task.validation, variance=0.0)
