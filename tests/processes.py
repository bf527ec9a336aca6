"""Worker processes without the seconds that each takes to start."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from vqc.scheduling import scheduler
from vqc.scheduling.pool import Finished, ThisProcess
from vqc.scheduling.workers import Workers


class Pickling(ThisProcess):
    """A pool that pickles what processes would be sent, and does the last first of several tasks in flight."""

    def __init__(self, function: Callable[[Any], Any], jobs: int) -> None:
        super().__init__(pickle.loads(pickle.dumps(function)))  # noqa: S301
        self._jobs = jobs

    @property
    def room(self) -> int:
        return 2 * self._jobs - len(self._given)

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        super().submit(ticket, pickle.loads(pickle.dumps(items)), avoid)  # noqa: S301

    def wait(self) -> Sequence[Finished]:
        return pickle.loads(pickle.dumps(super().wait()))  # noqa: S301


def stay_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every scheduler use such a pool."""

    def opened(function: Callable[[Any], Any], workers: Workers, count: int | None = None) -> Pickling:
        return Pickling(function, workers.jobs or 1)

    monkeypatch.setattr(scheduler, "open_pool", opened)
