"""A critic beside the paper models: when it begins, what it sees, and that the decoder hears it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vqc.errors import OptionError
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.nn.discriminators import critic_hinge, decoder_hinge, feature_distance
from vqc.training.adversarial import HEAD_START
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.trainer import Trainer
from vqc.training.vqvae.task import ReconstructionConfig, ReconstructionTask

START = HEAD_START + 10


def images(step: int) -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(step))


def make_task(*, adversarial: float = 0.5, start: int = START, free_steps: int = 0) -> ReconstructionTask:
    torch.manual_seed(0)
    config = ImageVQVAEConfig(widths=(4, 4), residual_width=4, codebook_size=8, codebook_dim=2)
    losses = ReconstructionConfig(
        free_steps=free_steps,
        adversarial=adversarial,
        feature_matching=3.0,
        adversarial_start=start,
        critic_width=4,
    )
    return ReconstructionTask(ImageVQVAE(config), images, [images(99)], losses, variance=0.1)


def test_the_decoder_hears_the_critic_from_the_start_step_on() -> None:
    task, plain = make_task(), make_task(adversarial=0.0)
    for t in (task, plain):
        t.model.eval()
    batch = images(1)
    assert task.loss(batch, START - 1).total.item() == pytest.approx(plain.loss(batch, START - 1).total.item())
    made = task.model(batch).signal
    judged, wanted = task.critic(made), task.critic(batch)
    urge = 0.5 * (decoder_hinge(judged) + 3 * feature_distance(wanted, judged))
    difference = task.loss(batch, START).total - plain.loss(batch, START).total
    assert difference.item() == pytest.approx(urge.item(), rel=1e-3)


def test_the_critic_begins_earlier_and_sees_what_the_decoder_was_judged_by() -> None:
    task = make_task()
    made: list[Tensor] = []
    task.model.decoder.register_forward_hook(lambda _, __, signal: made.append(signal + 0.5))
    batch = images(1)
    for step in (START - HEAD_START - 1, START - HEAD_START, START):
        made.clear()
        task.loss(batch, step)
        losses = task.critic_loss(batch, step)
        assert len(made) == 1, "the decoder runs once a step"
        if step < START - HEAD_START:
            assert not losses.total.requires_grad
        else:
            expected = critic_hinge(task.critic(batch), task.critic(made[0].detach()))
            assert losses.total.item() == pytest.approx(expected.item())


def test_the_critics_loss_moves_the_critic_alone() -> None:
    task = make_task()
    batch = images(1)
    task.loss(batch, START)
    task.critic_loss(batch, START).total.backward()
    assert all(p.grad is not None for p in task.critic.parameters())
    assert all(p.grad is None for p in task.model.parameters())


def test_both_learn_in_the_loop(tmp_path: Path) -> None:
    """The decoder's weights differ from those of a run without, once it has heard the critic, and not before."""
    weights: dict[tuple[float, int], list[Tensor]] = {}
    for adversarial in (0.0, 0.5):
        for steps in (3, 5):
            task = make_task(adversarial=adversarial, start=4)
            before = [p.clone() for p in task.critic.parameters()] if task.critic is not None else []
            loop = LoopConfig(steps=steps, warmup_steps=1, final_learning_rate_ratio=1.0)
            Trainer(task, loop, tmp_path / f"{adversarial}-{steps}").run()
            weights[adversarial, steps] = [p.detach() for p in task.model.decoder.parameters()]
            kernels = [(a, b) for a, b in zip(before, _parameters(task.critic), strict=True) if a.ndim == 4]
            assert not any(torch.equal(a, b) for a, b in kernels)
    same = [all(map(torch.equal, weights[0.0, n], weights[0.5, n])) for n in (3, 5)]
    assert same == [True, False]


def test_the_critic_waits_for_the_codebook(tmp_path: Path) -> None:
    task = make_task(start=0, free_steps=2)
    before = [p.clone() for p in _parameters(task.critic)]
    trainer = Trainer(task, LoopConfig(steps=9, warmup_steps=1), tmp_path)
    moved = []
    for _ in range(3):
        trainer.train_step()
        moved.append(not all(map(torch.equal, before, _parameters(task.critic))))
    assert moved == [False, False, True]


def _parameters(critic: nn.Module | None) -> list[Tensor]:
    return [] if critic is None else list(critic.parameters())


def test_waveforms_have_a_critic_of_spectra() -> None:
    torch.manual_seed(0)
    config = AudioVQVAEConfig(widths=(4, 4), strides=(4, 4), residual_width=4, codebook_size=8, codebook_dim=2)
    waveforms = 0.1 * torch.randn(2, 2_048)
    losses = ReconstructionConfig(free_steps=0, adversarial=1.0, adversarial_start=0, critic_width=4)
    task = ReconstructionTask(AudioVQVAE(config), lambda step: waveforms, [waveforms], losses, variance=0.01)
    task.loss(waveforms, 1).total.backward()
    gradients = [p.grad for p in task.model.decoder.parameters()]
    assert all(g is not None and bool(g.isfinite().all()) and bool(g.any()) for g in gradients)


def test_images_smaller_than_a_patch_are_refused() -> None:
    model = make_task().model
    losses = ReconstructionConfig(adversarial=1.0)
    with pytest.raises(OptionError, match="at least 16 pixels"):
        ReconstructionTask(model, images, [torch.rand(1, 3, 12, 32)], losses, variance=0.1)
