"""How far the work is that a run does besides training: starting values before it, tables and figures after it.

That takes minutes, in loops over qualities or examples which lie deep inside. A loop says `for x in tracked(xs)`, and
whoever watches a stage hears of it; nobody else is bothered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Progress = Callable[[int, int], None]  # done, total
Item = TypeVar("Item")

PARTS = 1000  # of a stage, that progress is told in


class _Stage:
    """So many tracked loops, one after the other; a loop within one of them does not count."""

    def __init__(self, loops: int, progress: Progress) -> None:
        self.loops, self.progress = loops, progress
        self.finished, self.busy = 0, False

    def tell(self, share: float) -> None:
        """Share of the present loop."""
        self.progress(min(PARTS, int(PARTS * (self.finished + share) / self.loops)), PARTS)


_watched: ContextVar[_Stage | None] = ContextVar("_watched", default=None)


@contextmanager
def stage(loops: int, progress: Progress) -> Iterator[None]:
    """Tell `progress` of the tracked loops that are run within, of which there are about so many."""
    token = _watched.set(_Stage(loops, progress))
    try:
        yield
    finally:
        _watched.reset(token)


def tracked(items: Iterable[Item]) -> Iterator[Item]:
    """The items, one after the other; with the stage around it, if there is one, hearing how many are done."""
    watched = _watched.get()
    if watched is None or watched.busy or not isinstance(items, Sized):
        yield from items
        return
    watched.busy = True
    try:
        for number, item in enumerate(items):
            watched.tell(number / len(items))
            yield item
    finally:
        watched.busy = False
        watched.finished += 1
        watched.tell(0.0)
