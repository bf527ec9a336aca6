"""The settings of a training run that do not depend on the model, and its learning rate over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Schedule and bookkeeping of a run. With `minutes`, time rather than the step count drives the schedule.

    Raises:
        ValueError: a number or a word that cannot be used.
    """

    steps: int = 1_000_000
    minutes: float | None = None  # of training; validation does not count
    learning_rate: float = 1e-3
    critic_learning_rate: float | None = None  # of the second network; None: the same
    warmup_steps: int = 100
    final_learning_rate_ratio: float = 0.02
    decay: Literal["cosine", "linear"] = "cosine"  # of the learning rate
    decay_from: float = 0.0  # share of the run at which it begins
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    accumulate: int = 1  # batches a step
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the device has it in hardware
    compile: Literal["auto", "on", "off"] = "auto"  # auto: on a GPU
    seed: int = 0  # of all random choices: starting values, batches, dropout
    log_every: int = 50
    validate_minutes: float = 8.0
    validate_steps: int | None = None  # validate by steps instead
    checkpoint_minutes: float = 4.0

    def __post_init__(self) -> None:
        for name in ("accumulate", "log_every", "validate_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        for name, least in (
            ("learning_rate", 0),
            ("gradient_clip", 0),
            ("checkpoint_minutes", -1),
            ("validate_minutes", -1),
        ):
            if not least < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a number above {least}")
        if not (0 <= self.ema_decay < 1 and all(0 <= beta < 1 for beta in self.betas) and self.weight_decay >= 0):
            raise ValueError("ema_decay and betas must be in [0, 1), and weight_decay not negative")
        if self.steps < 0 or (self.minutes is not None and not self.minutes > 0):
            raise ValueError(f"a run of steps {self.steps} and minutes {self.minutes} cannot be")
        if not 0 <= self.decay_from < 1:
            raise ValueError(f"decay_from is {self.decay_from}; it must be at least 0 and below 1")
        if self.decay not in ("cosine", "linear"):
            raise ValueError(f"decay is {self.decay!r}; it must be cosine or linear")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision is {self.precision!r}; it must be auto, float32 or bfloat16")
        if self.compile not in ("auto", "on", "off"):
            raise ValueError(f"compile is {self.compile!r}; it must be auto, on or off")


def learning_rate_at(config: LoopConfig, step: int, seconds: float) -> float:
    """Linear warm-up, then from `learning_rate` by a cosine or a line to its final ratio, over steps or minutes.

    The warm-up takes a tenth of a run of few steps at most.
    """
    progress = step / max(1, config.steps) if config.minutes is None else seconds / (60 * config.minutes)
    decayed = min(1.0, max(0.0, progress - config.decay_from) / (1 - config.decay_from))
    left = 1 - decayed if config.decay == "linear" else 0.5 * (1 + math.cos(math.pi * decayed))
    floor = config.final_learning_rate_ratio
    warmup_steps = min(config.warmup_steps, config.steps // 10)
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    return config.learning_rate * warmup * (floor + (1 - floor) * left)


def is_over(config: LoopConfig, step: int, seconds: float) -> bool:
    """Whether the steps or the minutes are used up."""
    return step >= config.steps or (config.minutes is not None and seconds >= 60 * config.minutes)
