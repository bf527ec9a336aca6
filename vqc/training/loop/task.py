"""The interface between the loop and what it trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn


class Losses(NamedTuple):
    """A loss to minimise, and figures to log beside it."""

    total: Tensor  # scalar, differentiable; a mean over the rows of the batch
    logged: Mapping[str, float | Tensor]  # scalars; the same names on all ranks


class Task(ABC):
    """What is trained: batches, a loss and a validation. The loop knows nothing else of it.

    Modules among the attributes of a task are moved to the device of the training, and so are batches.
    """

    model: Any  # the nn.Module with all parameters; these stay the same objects throughout
    critic: nn.Module | None = None  # a second network with an optimizer of its own (adversarial training)
    networks: Sequence[nn.Module] = ()  # worth a torch.compile
    elapsed: float = 0.0  # share of the run that is over; the loop sets it before each step

    @abstractmethod
    def batch(self, step: int) -> Any:
        """Return the batch of a micro-step, a function of (seed, step): a tensor, or tuples, lists or dicts of such.

        On one of several ranks: its rows of the batch.
        """

    @abstractmethod
    def loss(self, batch: Any, step: int) -> Losses:
        """Forward pass in training mode. With gradient accumulation several batches come with the same step."""

    def critic_loss(self, batch: Any, step: int) -> Losses:
        """Forward pass of the critic, after `loss` on the same batch, during which the critic is frozen.

        A total without gradient (a critic that has not begun) changes nothing.
        """
        raise NotImplementedError("a task with a critic has a loss for it")

    @abstractmethod
    def validate(self) -> Mapping[str, float]:
        """Return figures of `model` on validation data, in evaluation mode; the lowest "score" is the best.

        Called on rank 0 alone.
        """
