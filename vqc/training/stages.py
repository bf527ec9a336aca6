"""Progress of the work of a run beside its steps: starting values before them, tables and figures after them.

That takes minutes, in loops over qualities or examples which lie deep inside. A loop says `for x in tracked(xs)`, and a
callback around it, if there is one, is told of each item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from vqc.data.derived import Progress

Item = TypeVar("Item")

PARTS = 1000  # of a stage, the unit of its progress


class _Stage:
    """A number of tracked loops in sequence; a loop within one of them does not count."""

    def __init__(self, loops: int, progress: Progress) -> None:
        self.loops, self.progress = loops, progress
        self.finished, self.busy = 0, False

    def report(self, share: float) -> None:
        """Report the share of the present loop that is done."""
        self.progress(min(PARTS, int(PARTS * (self.finished + share) / self.loops)), PARTS)


_watched: ContextVar[_Stage | None] = ContextVar("_watched", default=None)


@contextmanager
def stage(loops: int, progress: Progress) -> Iterator[None]:
    """Report the tracked loops that run within to `progress`; `loops` is their expected number."""
    token = _watched.set(_Stage(loops, progress))
    try:
        yield
    finally:
        _watched.reset(token)


def tracked(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, and report how many are done to the stage around, if there is one."""
    watched = _watched.get()
    if watched is None or watched.busy or not isinstance(items, Sized):
        yield from items
        return
    watched.busy = True
    try:
        for number, item in enumerate(items):
            watched.report(number / len(items))
            yield item
    finally:
        watched.busy = False
        watched.finished += 1
        watched.report(0.0)
