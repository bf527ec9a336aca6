"""The task of likelihoods: what is measured is what files restore, and fitting it pays."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vqc.models.base import ImageModel
from vqc.models.likelihood import Likelihood, LikelihoodConfig, to_levels
from vqc.training.parts.likelihood import LikelihoodTask


def signals(step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    corners = torch.rand(4, 3, 2, 2, generator=generator)
    return torch.nn.functional.interpolate(corners, (16, 16), mode="bilinear")


def make_task(codec: ImageModel, layers: int = 0) -> LikelihoodTask:
    torch.manual_seed(0)
    likelihood = Likelihood(LikelihoodConfig(mixtures=3, width=8, layers=layers), "image", codec.qualities)
    return LikelihoodTask(likelihood, codec, signals, [signals(-1), signals(-2)])


@pytest.mark.parametrize("layers", [0, 1])
def test_training_makes_originals_likelier(image_model: ImageModel, layers: int) -> None:
    task = make_task(image_model, layers)
    before = task.validate()["score"]
    optimizer = torch.optim.Adam(task.model.parameters(), 0.03)
    for step in range(60):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    assert task.validate()["score"] < before - 0.1


def test_the_codec_stays_as_it_is(image_model: ImageModel) -> None:
    task = make_task(image_model, 1)
    task.loss(task.batch(0), 0).total.backward()
    assert all(p.grad is None for p in image_model.parameters())
    assert all(p.grad is not None for name, p in task.model.named_parameters() if name != "bias")


def test_figures_are_bits_of_what_a_file_restores(image_model: ImageModel) -> None:
    task, quality = make_task(image_model), image_model.qualities
    bits, values = 0.0, 0
    for batch in task.validation:
        with torch.inference_mode():
            restored = image_model.decode(image_model.encode_as_files_do(batch, quality), quality)
        pixels = to_levels(restored, "image").byte().float()
        bits += float(task.model.bits(to_levels(batch, "image"), pixels, quality).sum())
        values += batch.numel()
    assert task.measure(quality) == pytest.approx(bits / values)


def test_batches_of_a_pool_are_restored_once(image_model: ImageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, task = make_task(image_model), make_task(image_model)
    pooled = LikelihoodTask(task.model, image_model, signals, task.validation, pool=2)
    period, calls = 2 * image_model.qualities, []
    encode = image_model.encode
    monkeypatch.setattr(image_model, "encode", lambda *given: calls.append(1) or encode(*given))
    for step in range(2 * period):
        loss = pooled.loss(pooled.batch(step), step).total
        assert torch.equal(loss, plain.loss((signals(step % period), step % period), step).total)
    assert len(calls) == period + 2 * period, "once each, and each time without a pool"


def test_batches_of_one_step_have_their_own_qualities_and_places_in_the_pool(image_model: ImageModel) -> None:
    task = make_task(image_model)
    pooled = LikelihoodTask(task.model, image_model, signals, task.validation, pool=2)
    period = 2 * image_model.qualities
    for step in range(period):
        for micro in range(2):
            number = (2 * step + micro) % period
            expected = task.loss((signals(number), number), 0).total
            assert torch.equal(pooled.loss(pooled.batch(2 * step + micro), step).total, expected)
    assert len(pooled._restored) == period


def test_qualities_come_in_turn_and_have_figures_of_their_own(image_model: ImageModel) -> None:
    task = make_task(image_model)
    for step in range(image_model.qualities):
        task.model.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        assert task.model.bias.grad is not None
        moved = task.model.bias.grad.abs().sum(1) > 0
        assert moved.tolist() == [q == step for q in range(image_model.qualities)]
    rows = task.validate()
    each = [rows[f"bits_per_dim_{q + 1}"] for q in range(image_model.qualities)]
    assert rows["score"] == pytest.approx(sum(each) / len(each))


@pytest.mark.parametrize(("media", "ends"), [("image", (0.0, 1.0)), ("audio", (-1.0, 1.0))])
def test_levels(media: str, ends: tuple[float, float]) -> None:
    beyond = torch.tensor([[ends[0] - 1, *ends, ends[1] + 1]])
    levels = to_levels(beyond.expand(1, 3, 1, 4) if media == "image" else beyond, media)  # type: ignore[arg-type]
    most = 255 if media == "image" else 65535
    assert levels.flatten().tolist()[:4] == [0, 0, most, most]
    assert levels.shape[1] == (3 if media == "image" else 1)
    assert math.isclose(float(levels.max()), most)
