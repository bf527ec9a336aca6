"""The task of perceptual decoders: the codec stands still, the critic is heard, and it does not judge itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_priors import draw_model, draw_perceptual, draw_prior
from torch import Tensor

from vqc.errors import OptionError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.likelihood import Likelihood, LikelihoodConfig
from vqc.training.adversarial import HEAD_START
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.trainer import Trainer
from vqc.training.parts.perceptual import ALLOWED, PENALTY, ImageComparison, PerceptualTask, PerceptualTaskConfig
from vqc.training.recipe import trained_codec

START = HEAD_START + 10
KINDS = ("photo", "speech")


def images(step: int) -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(step))


def sounds(step: int) -> Tensor:
    noise = torch.randn(2, 3 * 1280, generator=torch.Generator().manual_seed(step))
    return 0.2 * torch.sin(torch.arange(3 * 1280) * 0.05) + 0.02 * noise


def make_task(kind: str, **options: Any) -> PerceptualTask:
    torch.manual_seed(0)
    codec: Any = draw_model(kind)
    signals = images if kind == "photo" else sounds
    settings = {"crop": 32 if kind == "photo" else 3 * 1280, "critic_width": 4, "critic_start": START} | options
    decoder = draw_perceptual(codec).requires_grad_(True)
    return PerceptualTask(decoder, codec, signals, [signals(-1), signals(-2)[:1]], PerceptualTaskConfig(**settings))


@pytest.mark.parametrize("kind", KINDS)
def test_training_brings_it_nearer_to_the_original(kind: str) -> None:
    task = make_task(kind, adversarial=0.0, fidelity=1.0, detail=1.0)
    before = {name: task.validate()[name] for name in ("score", *(["psnr"] if kind == "photo" else []))}
    optimizer = torch.optim.Adam(task.model.parameters(), 6e-3)
    for step in range(30):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    after = task.validate()
    assert after["score"] < 0.9 * before["score"]
    assert after.get("psnr", 1) > before.get("psnr", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_codec_stays_as_it_is(kind: str) -> None:
    task = make_task(kind)
    state = {name: t.clone() for name, t in task.codec.state_dict().items()}
    rows = task.validate()
    optimizer = torch.optim.Adam(task.model.parameters(), 0.01)
    for step in (START, START + 1, START + 2):
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    own = {name for name in rows if name.endswith("_own")}
    assert own
    later = task.validate()
    assert {name: rows[name] for name in own} == {name: later[name] for name in own}
    for name, tensor in task.codec.state_dict().items():
        assert torch.equal(tensor, state[name]) != (name.startswith("perceptual.") and not _idle(task, name)), name


def _idle(task: PerceptualTask, name: str) -> bool:
    parameter = task.model.get_parameter(name.removeprefix("perceptual."))
    return parameter.grad is None or not bool(parameter.grad.any())


@pytest.mark.parametrize("kind", KINDS)
def test_the_critic_is_heard_from_the_start_step_on(kind: str) -> None:
    task, plain = make_task(kind), make_task(kind, adversarial=0.0)
    assert plain.critic is None
    batch = task.batch(0)
    quiet = START - 1 - (START - 1) % task.codec.qualities  # both of the first quality
    heard = quiet + 2 * task.codec.qualities
    assert torch.equal(task.loss(batch, quiet).total, plain.loss(batch, quiet).total)
    losses = task.loss(batch, heard)
    assert not torch.equal(losses.total, plain.loss(batch, heard).total)
    assert task.critic_loss(batch, heard).total.requires_grad
    assert {"adversarial", "features"} <= set(losses.logged)


def test_qualities_come_in_turn_and_each_has_figures() -> None:
    task = make_task("photo")
    asked = []
    decode = task.restorer.decode
    task.restorer.decode = lambda codes, quality: asked.append(quality) or decode(codes, quality)
    for step in range(6):
        task.loss(task.batch(step), step)
    assert asked == [1, 2, 3, 1, 2, 3]
    rows, each = task.validate(), [task.measure(quality) for quality in (1, 2, 3)]
    assert rows["score"] == pytest.approx(sum(row["score"] for row in each) / 3)
    assert rows["psnr_own"] == pytest.approx(sum(row["psnr_own"] for row in each) / 3)


def test_the_score_is_texture_while_the_error_is_in_bounds() -> None:
    compare, own = ImageComparison(draw_model("photo")), {"mse": 0.001, "texture": 0.02}
    assert compare.figures({"mse": 0.0013, "texture": 0.01}, own)["score"] == pytest.approx(0.01)
    beyond = compare.figures({"mse": 0.0015, "texture": 0.01}, own)["score"]
    assert beyond == pytest.approx(0.01 + PENALTY * (1.5 - ALLOWED))
    figures = compare.figures({"mse": 0.001, "texture": 0.01}, own)
    assert (figures["psnr"], figures["psnr_own"]) == pytest.approx((30, 30))


def test_only_files_that_carry_the_waveform_are_held_to_its_phases() -> None:
    task = make_task("speech")
    assert [task.codec.has_waveform_codes(quality) for quality in (1, 2)] == [False, True]
    assert "spectrum" not in task.loss(task.batch(0), 0).logged
    assert "spectrum" in task.loss(task.batch(1), 1).logged


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_changes_no_codes(kind: str) -> None:
    task = make_task(kind, adversarial=0.0)
    totals = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            totals.append(float(task.loss(task.batch(1), 1).total.detach()))
    assert totals[0] == totals[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    weights = []
    for folder, stops in (("whole", (4,)), ("parts", (2, 4))):
        for steps in stops:
            task = make_task(kind, critic_start=1)
            Trainer(task, LoopConfig(steps=steps, final_learning_rate_ratio=1.0), tmp_path / folder).run()
        weights.append(torch.cat([p.detach().flatten() for p in task.model.parameters()]))
    assert torch.equal(*weights)


def test_crops_too_small_for_a_critic() -> None:
    with pytest.raises(OptionError, match="at least 16 pixels"):
        make_task("photo", crop=8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_codec_that_is_trained_on_loses_its_parts(kind: str, tmp_path: Path) -> None:
    model = draw_model(kind)
    model.attach_prior(draw_prior(model))
    model.attach_perceptual(draw_perceptual(model))
    model.likelihood = Likelihood(LikelihoodConfig(), model.media, model.qualities)
    save_checkpoint(tmp_path / "m.safetensors", model, name="m", training={}, figures={})
    begun = trained_codec(str(tmp_path / "m.safetensors"), type(model))
    assert begun.state_dict().keys() == draw_model(kind).state_dict().keys()
