"""The loop: a resumed run is the uninterrupted one, and the best validation is what is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vqc.data.batches import generator_for
from vqc.errors import TrainingError
from vqc.nn.quantize import VectorQuantizer
from vqc.training.loop import LoopConfig, Losses, Trainer, learning_rate_at


class Toy:
    """A linear map into a quantizer whose entries die and are revived on the way."""

    def __init__(self, width: int = 4) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(width, width), VectorQuantizer(16, width, decay=0.6))
        self.width = width
        self.scores = iter([3.0, 1.0, 2.0, 5.0])

    def batch(self, step: int) -> Tensor:
        return torch.randn(12, self.width, generator=generator_for(0, step))

    def loss(self, batch: Tensor, step: int) -> Losses:
        out = self.model(batch)
        total = (out.quantized - batch).square().mean() + out.loss
        return Losses(total, {"vq": out.loss.detach(), "used": out.fraction_used})

    def validate(self) -> Mapping[str, float]:
        return {"score": next(self.scores, 9.0)}


def logged(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    clock = {"minutes", "steps_per_second", "data_share"}
    return [{k: v for k, v in line.items() if k not in clock} for line in lines if "loss" in line]


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = LoopConfig(steps=30, log_every=1, warmup_steps=5, weight_decay=0.1)
    Trainer(Toy(), config, whole).run()
    for stop in (7, 8, 30):
        torch.manual_seed(stop)  # the global generator may be anywhere
        trainer = Trainer(Toy(), config, parts)
        while trainer.step < stop:
            trainer.train_step()
        trainer.checkpoint()
        if stop < 30:
            trainer.train_step()  # lost, as in a run that is killed
    assert logged(parts) == logged(whole)
    a, b = load_file(whole / "state.safetensors"), load_file(parts / "state.safetensors")
    for name in ("loop.seconds", "loop.best", "loop.validated_step"):
        del a[name], b[name]
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_best_validation_is_kept(tmp_path: Path) -> None:
    task = Toy()
    trainer = Trainer(task, LoopConfig(steps=100, ema_decay=0.0), tmp_path)
    kept = []
    for _ in range(3):
        trainer.train_step()
        trainer.validate()
        kept.append(load_file(tmp_path / "best.safetensors")["0.weight"])
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(kept[1], kept[2])
    assert trainer.best == 1.0


def test_validation_sees_averaged_weights_and_gives_back_the_own(tmp_path: Path) -> None:
    task = Toy()
    trainer = Trainer(task, LoopConfig(steps=100, ema_decay=0.9, learning_rate=0.1), tmp_path)
    for _ in range(5):
        trainer.train_step()
    own = task.model[0].weight.detach().clone()
    seen = []

    def validate() -> dict[str, float]:
        seen.append(task.model[0].weight.detach().clone())
        return {"score": 0.0}

    task.validate = validate  # type: ignore[method-assign]
    trainer.validate()
    assert torch.equal(seen[0], trainer.average.average["0.weight"])
    assert not torch.equal(seen[0], own)
    assert torch.equal(task.model[0].weight, own)


def test_a_loss_that_is_not_finite_is_one_error(tmp_path: Path) -> None:
    task = Toy()
    task.loss = lambda batch, step: Losses(task.model(batch).loss * math.nan, {})  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="not finite at step 0"):
        Trainer(task, LoopConfig(steps=3), tmp_path).run()


def test_a_run_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    Trainer(Toy(), LoopConfig(steps=1), tmp_path).run()
    with pytest.raises(TrainingError, match="another model"):
        Trainer(Toy(width=5), LoopConfig(steps=2), tmp_path)


def test_the_learning_rate_warms_up_and_falls_to_its_floor() -> None:
    config = LoopConfig(steps=1000, learning_rate=1.0, warmup_steps=10, final_learning_rate_ratio=0.1)
    assert learning_rate_at(config, 0, 0.0) == pytest.approx(0.1)
    rates = [learning_rate_at(config, step, 0.0) for step in range(10, 1001)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1)
    timed = LoopConfig(minutes=2, learning_rate=1.0, warmup_steps=0, final_learning_rate_ratio=0.0)
    assert learning_rate_at(timed, 5, 60.0) == pytest.approx(0.5)
