"""The settings of a training run that do not depend on the model, and its learning rate over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vqc.models.config import Config, limited


@dataclass(frozen=True, kw_only=True)
class LoopConfig(Config):
    """Schedule and bookkeeping of a run. With `minutes`, time rather than the step count drives the schedule.

    Raises:
        ValueError: a number or a word that cannot be used.
    """

    steps: int = limited(1_000_000, 0)
    minutes: float | None = limited(None, above=0)  # with starting values; validation does not count
    learning_rate: float = limited(1e-3, above=0)
    critic_learning_rate: float | None = limited(None, above=0)  # of the second network; None: the same
    warmup_steps: int = limited(100, 0)
    final_learning_rate_ratio: float = limited(0.02, 0, 1)
    decay: Literal["cosine", "linear"] = "cosine"  # of the learning rate
    decay_from: float = limited(0.0, 0, below=1)  # share of the run at which it begins
    weight_decay: float = limited(0.0, 0)
    betas: tuple[float, float] = limited((0.9, 0.99), 0, below=1)
    gradient_clip: float = limited(1.0, above=0)
    ema_decay: float = limited(0.998, 0, below=1)
    accumulate: int = limited(1, 1)  # batches a step
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the device has it in hardware
    compile: Literal["auto", "on", "off"] = "auto"  # auto: on a GPU
    seed: int = limited(0, 0)  # of all random choices: starting values, batches, dropout
    log_every: int = limited(50, 1)
    validate_minutes: float = limited(8.0, 0)
    validate_steps: int | None = limited(None, 1)  # validate by steps instead
    checkpoint_minutes: float = limited(4.0, 0)


def learning_rate_at(config: LoopConfig, step: int, seconds: float) -> float:
    """Linear warm-up, then from `learning_rate` by a cosine or a line to its final ratio, over steps or minutes.

    The warm-up takes a tenth of a run of few steps at most.
    """
    progress = share_of_run(config, step, seconds)
    decayed = min(1.0, max(0.0, progress - config.decay_from) / (1 - config.decay_from))
    left = 1 - decayed if config.decay == "linear" else 0.5 * (1 + math.cos(math.pi * decayed))
    floor = config.final_learning_rate_ratio
    warmup_steps = min(config.warmup_steps, config.steps // 10)
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    return config.learning_rate * warmup * (floor + (1 - floor) * left)


def share_of_run(config: LoopConfig, step: int, seconds: float) -> float:
    """Return how much of a run is over, 0 to 1: of its minutes where it has some, else of its steps."""
    return step / max(1, config.steps) if config.minutes is None else seconds / (60 * config.minutes)


def is_over(config: LoopConfig, step: int, seconds: float) -> bool:
    """Whether the steps or the minutes are used up."""
    return step >= config.steps or (config.minutes is not None and seconds >= 60 * config.minutes)
