"""Runs scenarios of distributed training as one of two processes, or with the whole batch as the only one.

`main`, with the environment that torchrun gives, leaves in a folder what each rank came to; the ranks have run folders
of their own, like two machines without a common disk.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from training_toys import Adversarial, Toy

from vqc.errors import TrainingError
from vqc.nn.distributed import rows_of_all_ranks
from vqc.nn.dynamic import DynamicVectorQuantizer
from vqc.nn.ecvq import GroupedECVQ
from vqc.nn.quantize import VectorQuantizer
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.distributed import Ranks, join
from vqc.training.loop.task import Losses
from vqc.training.loop.trainer import Trainer


class Grouped(Toy):
    """Two levels of entropy-constrained codebooks in turn."""

    def __init__(self, width: int = 4, **options: Any) -> None:
        super().__init__(width, **options)
        torch.manual_seed(0)
        quantizer = GroupedECVQ([(2, 2, 8)], 2, decay=0.8)
        quantizer.codebook_0.normal_()
        self.model = nn.ModuleList([nn.Linear(width, width), quantizer])

    def loss(self, batch: Tensor, step: int) -> Losses:
        linear, quantizer = self.model.children()
        out = quantizer(linear(batch), step % 2)
        return Losses((out.quantized - batch).square().mean() + out.commitment, {"bits": out.bits})

    def validate(self) -> Mapping[str, float]:
        return {"score": 0.0}


class Alternating(Toy):
    """Uses one parameter on each rank, and another in no step at all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.model = nn.ParameterList([torch.zeros(4), torch.zeros(4), torch.zeros(4)])

    def loss(self, batch: Tensor, step: int) -> Losses:
        halves = batch.chunk(2) if len(batch) == 12 else [batch]
        first = 0 if self.part.start in (None, 0) else 1
        terms = [(half - self.model[first + i]).square().mean() for i, half in enumerate(halves)]
        return Losses(torch.stack(terms).mean(), {})

    def validate(self) -> Mapping[str, float]:
        return {"score": 0.0}


class Slow(Toy):
    """The second rank takes its time, and gives a wrong one."""

    def batch(self, step: int) -> Tensor:
        time.sleep(0.03 if self.part.start else 0.01)
        return super().batch(step)


class Broken(Toy):
    """A row of the second half of the third batch is not a number."""

    def batch(self, step: int) -> Tensor:
        batch = super().batch(step)
        return batch * float("nan") if step == 2 and self.part.start else batch


class Stopped(Toy):
    """The second rank, and it alone, is asked to end in the fourth step."""

    def batch(self, step: int) -> Tensor:
        if step == 3 and self.part.start:
            signal.raise_signal(signal.SIGINT)
        return super().batch(step)


def quantized_by(make: Callable[[], nn.Module], **options: Any) -> Toy:
    """A task whose codebook begins the same in every process."""
    torch.manual_seed(1)
    return Toy(quantizer=make(), **options)


MOVING = partial(quantized_by, partial(VectorQuantizer, 16, 4, decay=0.6))
LEARNED = partial(quantized_by, partial(VectorQuantizer, 16, 4, decay=0.6, update="loss"))
GROWING = partial(quantized_by, partial(DynamicVectorQuantizer, 4, 4, 16, decay=0.7, grow_above=0.6))

# Those that do the same work however many processes share it.
FAST: dict[str, Any] = {"learning_rate": 0.02, "warmup_steps": 2, "log_every": 5}
SCENARIOS: dict[str, tuple[Callable[..., Toy], LoopConfig]] = {
    "ema": (MOVING, LoopConfig(steps=25, validate_steps=10, **FAST)),
    "loss": (LEARNED, LoopConfig(steps=25, **FAST)),
    "dynamic": (GROWING, LoopConfig(steps=25, **FAST)),
    "grouped": (Grouped, LoopConfig(steps=15, **FAST)),
    "unused": (Alternating, LoopConfig(steps=8, **FAST)),
    "adversarial": (partial(Adversarial, dropout=0.0), LoopConfig(steps=10, accumulate=2, **FAST)),
}


def run_scenario(name: str, folder: Path, part: slice) -> Trainer:
    """Train to the end, in two sessions."""
    make, config = SCENARIOS[name]
    begun = make(part=part).double()
    if part.start:
        for tensor in begun.model.state_dict().values():
            tensor.zero_()  # ranks begin with what rank 0 begins with
    first = Trainer(begun, config, folder)
    while first.step < 6:
        first.train_step()
    first.checkpoint()
    trainer = Trainer(make(part=part).double(), config, folder)
    assert trainer.step == 6
    trainer.run()
    return trainer


def everything(trainer: Trainer) -> dict[str, Tensor]:
    """Weights, codebooks, averages and moments."""
    tensors = trainer.main.tensors("model", "optimizer")
    tensors |= {f"average.{k}": v for k, v in trainer.average.average.items()}
    if trainer.second is not None:
        tensors |= trainer.second.tensors("critic", "critic_optimizer")
    return {k: v.clone() for k, v in tensors.items()}


def half(ranks: Ranks) -> slice:
    return slice(6 * ranks.rank, 6 * ranks.rank + 6)


def main(folder: Path) -> None:
    with join() as ranks:
        torch.manual_seed(ranks.rank)
        own = folder / f"rank-{ranks.rank}"
        for name in SCENARIOS:
            trainer = run_scenario(name, own / name, half(ranks))
            save_file(everything(trainer), folder / f"{name}-{ranks.rank}.safetensors")
        ordered = rows_of_all_ranks(torch.arange(3.0) + 10 * ranks.rank)
        timed = Trainer(Slow(part=half(ranks)), LoopConfig(minutes=0.5 / 60), own / "timed").run()

        stopped = Trainer(Stopped(part=half(ranks)), LoopConfig(steps=50), own / "stopped").run()
        save_file(
            {
                "ordered": ordered,
                "timed": torch.tensor([timed.step, timed.interrupted]),
                "stopped": torch.tensor([stopped.step, stopped.interrupted]),
            },
            folder / f"others-{ranks.rank}.safetensors",
        )
        try:
            Trainer(Broken(part=half(ranks)), LoopConfig(steps=5), own / "broken").run()
        except TrainingError as error:
            (folder / f"error-{ranks.rank}.txt").write_text(str(error), encoding="utf-8")
