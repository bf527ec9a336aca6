"""What the loop asks of a task, and what it tells those who watch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn


class Losses(NamedTuple):
    """What a step minimises, and what it reports."""

    total: Tensor  # scalar, differentiable; a mean over the rows of the batch
    logged: Mapping[str, float | Tensor]  # scalars; the same names on all ranks


class Task(Protocol):
    """What is trained: the loop knows nothing else of it.

    A task may also offer, and the loop looks for:

        critic: nn.Module | None            a second network with an optimizer of its own (adversarial training)
        critic_loss(batch, step) -> Losses  called after `loss` on the same batch; a total without gradient (a critic
                                            that has not begun) changes nothing. During `loss` the critic is frozen.
        networks: Sequence[nn.Module]       what torch.compile is worth while for

    Modules among the attributes of a task are moved to the device of the training, and so are batches.
    """

    @property
    def model(self) -> nn.Module:
        """The network with all its parameters; these stay the same objects throughout."""

    def batch(self, step: int) -> Any:
        """The batch of a micro-step, a function of (seed, step): a tensor, or tuples, lists or dicts of such.

        On one of several ranks: its rows of the batch.
        """

    def loss(self, batch: Any, step: int) -> Losses:
        """Forward pass in training mode. With gradient accumulation several batches come with the same step."""

    def validate(self) -> Mapping[str, float]:
        """Figures of `model` on validation data, in evaluation mode; "score" is what best means (lower is better).

        Called on rank 0 alone.
        """


class RunPlan(NamedTuple):
    """What a run is about to do."""

    steps: int  # at most so many
    minutes: float | None  # of training, validation not counted; None: the steps decide
    start_step: int  # 0, or where the run goes on
    run_dir: Path


class Outcome(NamedTuple):
    """What a run came to."""

    step: int
    seconds: float  # of training, those of earlier sessions included
    best: float  # lowest score of a validation; infinite before the first
    interrupted: bool  # by Ctrl-C, SIGTERM or an exception: there is more to do


class Observer(Protocol):
    """Who watches a run on rank 0. `started` and `ended` come once each, `ended` whatever happens.

    Rows hold "step" and "minutes". A row of training also holds "loss", the figures of the task by their names and
    "gradient_norm" (means over the batches since the last row, of those that had them), "lr", "steps_per_second" and
    "data_share" (of the time since the last row, spent waiting for batches). A row of validation holds the figures of
    `Task.validate` with "val_" before their names.
    """

    def started(self, plan: RunPlan) -> None:
        """Before the first step."""

    def logged(self, row: Mapping[str, float]) -> None:
        """Figures of the training steps since the last row."""

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        """Figures of a validation, and whether its score is the best so far."""

    def ended(self, outcome: Outcome) -> None:
        """After the last step."""
