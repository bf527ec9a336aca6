"""One resumable training loop for every model.

A `Task` says what a batch, a loss and a validation are; the loop owns the optimizer, the schedule, the moving
average of the weights, the log and the run folder::

    runs/photo/state.safetensors   weights, averaged weights, optimizer moments (never pickled)
    runs/photo/state.json          step, seconds spent, best score, schedule: for people to read
    runs/photo/best.safetensors    averaged weights of the best validation so far
    runs/photo/metrics.jsonl       one line per log or validation

Batches are a function of (seed, step), so that a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from vqc.atomic import write_atomically
from vqc.errors import TrainingError


class Losses(NamedTuple):
    """What a step minimises, and what it reports."""

    total: Tensor  # scalar, differentiable
    logged: Mapping[str, float | Tensor]  # scalars


class Task(Protocol):
    """What is trained: the loop knows nothing else of it."""

    @property
    def model(self) -> nn.Module:
        """The network with all its parameters."""

    def batch(self, step: int) -> Any:
        """The batch of a step, drawn with a generator seeded by (seed, step)."""

    def loss(self, batch: Any, step: int) -> Losses:
        """Forward pass in training mode."""

    def validate(self) -> Mapping[str, float]:
        """Figures of `model` on validation data, in evaluation mode; "score" is what best means (lower is better)."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Schedule and bookkeeping of a run. With `minutes`, time rather than the step count drives the schedule."""

    steps: int = 1_000_000
    minutes: float | None = None
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate_ratio: float = 0.02
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    log_every: int = 50
    validate_minutes: float = 8.0
    checkpoint_minutes: float = 4.0


class WeightAverage:
    """Exponential moving average of the parameters; buffers (codebooks have their own) are taken as they are."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the current weights, faster in the first steps, so that the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, p in model.named_parameters():
            self.average[name].lerp_(p.detach(), 1 - decay)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights, for validation and export."""
        own = {name: p.detach().clone() for name, p in model.named_parameters()}
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(self.average[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, p in model.named_parameters():
                    p.copy_(own[name])


def learning_rate_at(config: LoopConfig, step: int, seconds: float) -> float:
    """Linear warm-up, then a cosine from `learning_rate` to its final ratio, over steps or minutes."""
    progress = step / config.steps if config.minutes is None else seconds / (60 * config.minutes)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    floor = config.final_learning_rate_ratio
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return config.learning_rate * warmup * (floor + (1 - floor) * cosine)


class Trainer:
    """Runs a task in a run folder; `run` goes on from the last checkpoint found there."""

    def __init__(self, task: Task, config: LoopConfig, run_dir: Path) -> None:
        self.task, self.config, self.run_dir = task, config, run_dir
        decay: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for p in task.model.parameters():
            if p.requires_grad:
                (decay if p.ndim > 1 else plain).append(p)
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
        self.average = WeightAverage(task.model, config.ema_decay)
        self.step, self.seconds, self.best = 0, 0.0, math.inf
        run_dir.mkdir(parents=True, exist_ok=True)
        if (run_dir / "state.safetensors").exists():
            self._restore()

    def run(self) -> None:
        """Train until the steps or the minutes are used up; checkpoints, validates and logs on the way."""
        config = self.config
        checkpointed = validated = time.monotonic()
        while not self._finished():
            self.train_step()
            now = time.monotonic()
            if now - validated > 60 * config.validate_minutes:
                self.validate()
                self.checkpoint()
                validated = checkpointed = time.monotonic()
            elif now - checkpointed > 60 * config.checkpoint_minutes:
                self.checkpoint()
                checkpointed = time.monotonic()
        self.validate()
        self.checkpoint()

    def train_step(self) -> None:
        """One step of the optimizer, logged when it is due."""
        start, config, model = time.monotonic(), self.config, self.task.model
        rate = learning_rate_at(config, self.step, self.seconds)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        model.train()
        losses = self.task.loss(self.task.batch(self.step), self.step)
        if not bool(torch.isfinite(losses.total)):
            raise TrainingError(
                f"the loss is not finite at step {self.step} with learning rate {rate:.2e}; "
                "resume from the last checkpoint with a lower learning rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        self.optimizer.step()
        self.average.update(model, self.step)
        self.step += 1
        self.seconds += time.monotonic() - start  # validation does not use up training time
        if self.step % config.log_every == 0:
            logged = {k: float(v) for k, v in losses.logged.items()}
            self._log({"loss": float(losses.total.detach()), **logged, "gradient_norm": float(norm), "lr": rate})

    def _finished(self) -> bool:
        minutes = self.config.minutes
        return self.step >= self.config.steps or (minutes is not None and self.seconds >= 60 * minutes)

    def _log(self, row: Mapping[str, float]) -> None:
        line = {"step": self.step, "minutes": round(self.seconds / 60, 2), **{k: round(v, 6) for k, v in row.items()}}
        with (self.run_dir / "metrics.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        sys.stderr.write(" ".join(f"{k} {v:.5g}" for k, v in line.items()) + "\n")

    def validate(self) -> None:
        """Figures of the averaged weights; the best so far are kept in best.safetensors."""
        self.task.model.eval()
        with self.average.applied(self.task.model):
            figures = self.task.validate()
            self._log({f"val_{k}": v for k, v in figures.items()})
            if figures["score"] < self.best:
                self.best = figures["score"]
                _save(self.run_dir / "best.safetensors", dict(self.task.model.state_dict()))

    def checkpoint(self) -> None:
        """Write all that a later `Trainer` on this folder needs to go on exactly here."""
        tensors = {f"model.{k}": v for k, v in self.task.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.average.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
        state = {"step": self.step, "seconds": self.seconds, "best": self.best}
        # In the same file as the weights, so that no moment of being killed can part them.
        tensors |= {f"loop.{k}": torch.tensor(v, dtype=torch.float64) for k, v in state.items()}
        _save(self.run_dir / "state.safetensors", tensors)
        best = self.best if math.isfinite(self.best) else None
        text = json.dumps({**state, "best": best, "config": asdict(self.config)}, indent=1)
        write_atomically(self.run_dir / "state.json", text.encode(), overwrite=True)

    def _restore(self) -> None:
        tensors = load_file(self.run_dir / "state.safetensors")
        state = json.loads((self.run_dir / "state.json").read_text(encoding="utf-8"))
        state |= {k: v.item() for k, v in _with_prefix(tensors, "loop.").items()}
        self.step, self.seconds, self.best = int(state["step"]), state["seconds"], state["best"]
        try:
            self.task.model.load_state_dict(_with_prefix(tensors, "model."))
        except RuntimeError:
            raise TrainingError(
                f"{self.run_dir} holds a run of another model; give another run folder, or remove this one"
            ) from None
        self.average.average = _with_prefix(tensors, "average.")
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _with_prefix(tensors, "optimizer.").items():
            index, key = name.split(".", 1)
            moments.setdefault(int(index), {})[key] = tensor
        whole = self.optimizer.state_dict()
        whole["state"] = moments
        self.optimizer.load_state_dict(whole)
        log = self.run_dir / "metrics.jsonl"  # what was logged after the checkpoint will be logged again
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
        kept = "".join(x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= self.step)
        write_atomically(log, kept.encode(), overwrite=True)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    whole = save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()})
    write_atomically(path, whole, overwrite=True)
