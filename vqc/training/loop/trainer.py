"""One resumable training loop for every model, on one or several processes.

A `Task` defines batches, loss and validation; the loop owns the optimizers, the schedule, the moving
average of the weights, the log and the run folder::

    runs/photo/state.safetensors   weights, averaged weights, optimizer moments (never pickled)
    runs/photo/state.json          step, seconds spent, best score, schedule: for people to read
    runs/photo/best.safetensors    averaged weights of the best validation so far
    runs/photo/metrics.jsonl       one line per log or validation

Batches are a function of (seed, step), so that a resumed run sees what an uninterrupted one would have seen. A step::

    batch ─ loss ─ backward ┐                        (× config.accumulate)
          └ critic's loss ─ backward ┐
                            clip, AdamW, average of the weights; then the same for the critic
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vqc.devices import seed_step, to_device, uses_bfloat16
from vqc.errors import TrainingError
from vqc.nn.distributed import own_rank
from vqc.training.loop.callbacks import Callback, Outcome, RunPlan
from vqc.training.loop.config import LoopConfig, is_over, learning_rate_at, share_of_run
from vqc.training.loop.distributed import Agreement, agree, broadcast_number
from vqc.training.loop.ema import WeightAverage
from vqc.training.loop.interruption import Interruption
from vqc.training.loop.optimization import Optimization
from vqc.training.loop.run_folder import Progress, RunFolder, with_prefix
from vqc.training.loop.running_means import RunningMeans
from vqc.training.loop.task import Losses, Task

STEPS_UNCHECKED = 16  # losses that are looked at together: reading one waits for all that a GPU was given


class Trainer:
    """Runs a task in a run folder; `run` resumes from the last checkpoint found there.

    Raises:
        TrainingError: the folder holds a run of another model, or its state is damaged.
    """

    def __init__(
        self,
        task: Task,
        config: LoopConfig,
        run_dir: Path,
        *,
        callbacks: Sequence[Callback] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        self.task, self.config, self.device = task, config, torch.device(device)
        self.callbacks = tuple(callbacks) if own_rank() == 0 else ()
        self.critic = task.critic
        for module in (task.model, self.critic, *vars(task).values()):
            if isinstance(module, nn.Module):
                module.to(self.device)
        if config.compile == "on" or (config.compile == "auto" and self.device.type == "cuda"):
            for network in task.networks:
                network.compile()
        settings: dict[str, Any] = {
            "device": self.device,
            "bfloat16": uses_bfloat16(config.precision, self.device),
        }
        self.main = Optimization(task.model, task.loss, config, **settings)
        self.second: Optimization | None = None
        if self.critic is not None:
            self.second = Optimization(self.critic, task.critic_loss, config, **settings)
        self.average = WeightAverage(task.model, config.ema_decay)
        self.progress = Progress()
        self._figures = RunningMeans(self.device)
        self.folder = RunFolder(run_dir)
        self._restore()
        self._interruption = Interruption()
        self._unchecked: list[tuple[int, float, Tensor]] = []
        self._meter = _Meter(self.progress)
        self._validated_at = self._checkpointed_at = time.monotonic()

    @property
    def step(self) -> int:
        """Number of steps made."""
        return self.progress.step

    @property
    def seconds(self) -> float:
        """Time spent before and in training steps; on several ranks, by the clock of rank 0 before the last step."""
        return self.progress.seconds

    @property
    def best(self) -> float:
        """Lowest score of a validation."""
        return self.progress.best

    def spend(self, seconds: float) -> None:
        """Count time that went into a run before its first step."""
        self.progress = self.progress._replace(seconds=self.seconds + seconds)

    def run(self) -> Outcome:
        """Train until the steps or the minutes are used up; checkpoints, validates and logs on the way.

        Ctrl-C or SIGTERM let the step end, write a checkpoint and return.

        Raises:
            TrainingError: the loss is not finite.
        """
        interrupted = True  # unless the end below is reached
        for callback in self.callbacks:
            callback.started(RunPlan(self.config.steps, self.config.minutes, self.step, self.folder.path))
        try:
            with self._interruption.handled():
                interrupted = self._run()
        finally:
            outcome = Outcome(self.step, self.seconds, self.best, interrupted)
            for callback in self.callbacks:
                callback.ended(outcome)
        return outcome

    def _run(self) -> bool:
        self._validated_at = self._checkpointed_at = time.monotonic()
        while True:
            due = self._agree()
            over = is_over(self.config, self.step, self.seconds)
            if due.interrupted:
                self.checkpoint()
                return True
            if due.validate or (over and self.progress.validated_step != self.step):
                self.validate()
                self.checkpoint()
            elif over:
                return False
            else:
                if due.checkpoint:
                    self.checkpoint()
                self.train_step()

    def _agree(self) -> Agreement:
        """Decide what is due before the next step; on several ranks all hear the same."""
        config, now = self.config, time.monotonic()
        if config.validate_steps is None:
            validate = now - self._validated_at > 60 * config.validate_minutes
        else:
            on_time = self.step > 0 and self.step % config.validate_steps == 0
            validate = on_time and self.progress.validated_step != self.step
        checkpoint = now - self._checkpointed_at > 60 * config.checkpoint_minutes
        agreed = agree(Agreement(self.seconds, validate, checkpoint, self._interruption.requested))
        self.progress = self.progress._replace(seconds=agreed.seconds)
        return agreed

    def train_step(self) -> None:
        """Make one step of the optimizers, logged when it is due."""
        start, step = time.monotonic(), self.step
        rate = learning_rate_at(self.config, step, self.seconds)
        self.task.elapsed = share_of_run(self.config, step, self.seconds)
        if not self.task.model.training:
            self.task.model.train()
        log = (step + 1) % self.config.log_every == 0
        total, norm = self._passes(step)
        self._check_finite(step, rate, total + norm, now=log)
        self.main.step(rate)
        self.average.update(step)
        if self.second is not None:
            critic_rate = self.config.critic_learning_rate
            self.second.clip()
            self.second.step(rate * (1.0 if critic_rate is None else critic_rate / self.config.learning_rate))
        row = self._figures.read() if log else {}
        spent = time.monotonic() - start  # validation does not use up training time
        self.progress = self.progress._replace(step=step + 1, seconds=self.seconds + spent)
        if log:
            row = self._log({**row, "lr": rate, **self._meter.read(self.progress)})
            for callback in self.callbacks:
                callback.logged(row)

    def _passes(self, step: int) -> tuple[Tensor, Tensor]:
        """Forward and backward passes of all batches of a step: their last loss, and the norm of the gradient."""
        count, total = self.config.accumulate, torch.zeros(())
        for i in range(count):
            seed_step(self.device, self.config.seed, step * count + i, own_rank())
            waiting = time.monotonic()
            batch = to_device(self.task.batch(step * count + i), self.device)
            self._meter.waited += time.monotonic() - waiting
            if self.critic is not None:
                self.critic.requires_grad_(False)
            losses = self.main.accumulate(batch, step, last=i == count - 1)
            if self.critic is not None and self.second is not None:
                self.critic.requires_grad_(True)
                critic = self.second.accumulate(batch, step, last=i == count - 1)
                losses = Losses(losses.total, {**losses.logged, "critic_loss": critic.total, **critic.logged})
            total = losses.total
            self._figures.add({"loss": total, **losses.logged})
        norm = self.main.clip()
        self._figures.add({"gradient_norm": norm})
        return total, norm

    def _check_finite(self, step: int, rate: float, number: Tensor, *, now: bool) -> None:
        """Remember a number of this step; now and then (on a CPU always) see whether all of them are finite."""
        self._unchecked.append((step, rate, number))
        if now or self.device.type == "cpu" or len(self._unchecked) >= STEPS_UNCHECKED:
            self._check_remembered()

    def _check_remembered(self) -> None:
        remembered, self._unchecked = self._unchecked, []
        numbers = torch.stack([number for _, _, number in remembered]).tolist() if remembered else []
        for (step, rate, _), number in zip(remembered, numbers, strict=True):
            if not math.isfinite(number):
                raise TrainingError(
                    f"the loss or its gradient is not finite at step {step} with learning rate {rate:.2e}; "
                    "resume from the last checkpoint with a lower learning rate"
                )

    def _log(self, figures: Mapping[str, float]) -> dict[str, float]:
        row = {"step": self.step, "minutes": self.seconds / 60, **figures}
        row = {name: float(f"{v:.7g}") if isinstance(v, float) else v for name, v in row.items()}  # as float32 knows
        self.folder.log(row)
        return row

    def validate(self) -> None:
        """Measure the averaged weights, on rank 0; the best so far are kept in best.safetensors."""
        self._check_remembered()
        if own_rank() == 0:
            self._validate()
        else:
            self.progress = self.progress._replace(validated_step=self.step)
        self.progress = self.progress._replace(best=broadcast_number(self.best))
        self._validated_at = time.monotonic()

    def _validate(self) -> None:
        self.task.model.eval()
        with self.average.applied():
            figures = self._interruption.guard(self.task.validate)
            if figures is None:
                return
            best = figures["score"] < self.best
            if best:
                self.folder.save_best(self.task.model.state_dict())
        self.progress = self.progress._replace(best=min(figures["score"], self.best), validated_step=self.step)
        row = self._log({f"val_{k}": v for k, v in figures.items()})
        for callback in self.callbacks:
            callback.validated(row, best)

    def checkpoint(self) -> None:
        """Write all that a later `Trainer` on this folder needs to go on exactly here."""
        self._check_remembered()
        tensors = self.main.tensors("model", "optimizer")
        tensors |= {f"average.{k}": v for k, v in self.average.average.items()}
        if self.second is not None:
            tensors |= self.second.tensors("critic", "critic_optimizer")
        tensors |= {f"figures.{k}": v for k, v in self._figures.tensors().items()}
        self.folder.save_state(tensors, self.progress, self.config)
        self._checkpointed_at = time.monotonic()

    def _restore(self) -> None:
        found = self.folder.load_state()
        if found is None:
            return
        tensors, self.progress = found
        try:
            self.main.load(tensors, "model", "optimizer")
            if self.second is not None and with_prefix(tensors, "critic."):
                self.second.load(tensors, "critic", "critic_optimizer")
        except RuntimeError:
            raise TrainingError(
                f"{self.folder.path} holds a run of another model; give another run folder, or remove this one"
            ) from None
        self.average.load(with_prefix(tensors, "average."))
        self._figures.load(with_prefix(tensors, "figures."))
        self.folder.forget_after(self.step)  # what was logged after the checkpoint will be logged again


class _Meter:
    """Speed since it was last read."""

    def __init__(self, progress: Progress) -> None:
        self.waited, self._last = 0.0, progress

    def read(self, progress: Progress) -> dict[str, float]:
        steps, seconds = progress.step - self._last.step, max(1e-9, progress.seconds - self._last.seconds)
        rates = {"steps_per_second": steps / seconds, "data_share": min(1.0, self.waited / seconds)}
        self.waited, self._last = 0.0, progress
        return rates
