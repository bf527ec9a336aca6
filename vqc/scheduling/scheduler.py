"""Many tasks through a few workers: bounded in flight, in order or as they finish, and none is lost with its worker.

    items ─► taken as there is room ─► pool: submit ⇄ wait ─► results
                      ▲                        │
                      └── once more, elsewhere ┘   its worker was lost, or its result says that it failed

Items may come from a generator without end in sight: only those in flight are held, here or anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from vqc.errors import VQCError
from vqc.scheduling.pool import Pool
from vqc.scheduling.pools import open_pool
from vqc.scheduling.workers import Workers

ATTEMPTS_OF_THE_LOST = 3  # at a task whose worker was lost: it may be what the workers die of
ATTEMPTS_OF_THE_FAILED = 2
GROWTH = 64  # tasks that each place for one has seen before tasks get another item
AHEAD = 4  # times as many tasks as are in flight that may be done before the first of them

Item = TypeVar("Item")
Result = TypeVar("Result")


class LostError(VQCError):
    """A task took its worker with it each time, or what it takes is not there."""


@dataclass(frozen=True)
class Retry:
    """When a task is given to another worker, and how.

    failed: whether a result says that the item could not be done, so that it is tried on another machine if there are
        some; None: nothing but a lost worker is a reason.
    afresh: the item for the next attempt, when the last may have done it already.
    lost: the result of an item that was given up; without it a LostError ends everything.
    """

    failed: Callable[[Any], bool] | None = None
    afresh: Callable[[Any], Any] = lambda item: item
    lost: Callable[[Any, LostError], Any] | None = None


@dataclass
class _Order:
    awaited: int | None = None  # number of the item whose result must come next; None: any may


@dataclass
class _Task:
    numbers: range
    items: Sequence[Any]
    attempts: int = 0
    avoid: object = None


@dataclass
class _Ledger:
    """Tasks that are in flight or to be done again."""

    retry: Retry
    elsewhere: bool  # whether other workers may do better
    waiting: list[_Task] = field(default_factory=list)  # for their next attempt
    given: dict[int, _Task] = field(default_factory=dict)  # by ticket
    tickets: int = 0

    def submit(self, task: _Task, pool: Pool) -> None:
        """Give a task to the pool."""
        task.attempts += 1
        self.tickets += 1
        self.given[self.tickets] = task
        pool.submit(self.tickets, task.items, task.avoid)

    def take_again(self, pool: Pool) -> _Task | None:
        """A task whose next attempt can be made now."""
        for place, task in enumerate(self.waiting):
            if pool.can_avoid(task.avoid):
                return self.waiting.pop(place)
        return None

    def settle(self, ticket: int, results: Sequence[Any] | None, worker: object) -> Iterator[tuple[int, Any]]:
        """Yield the results that stand; what is to be done again goes to `waiting`, each item by itself."""
        task = self.given.pop(ticket)
        for place, (number, item) in enumerate(zip(task.numbers, task.items, strict=True)):
            result = None if results is None else results[place]
            if results is None and task.attempts >= ATTEMPTS_OF_THE_LOST:
                yield number, self._give_up(item)
                continue
            failed = results is None or (
                self.elsewhere
                and self.retry.failed is not None
                and task.attempts < ATTEMPTS_OF_THE_FAILED
                and self.retry.failed(result)
            )
            if failed:
                again = self.retry.afresh(item)
                self.waiting.append(_Task(range(number, number + 1), [again], task.attempts, worker))
            else:
                yield number, result

    def _give_up(self, item: Any) -> Any:
        error = LostError(
            f"{ATTEMPTS_OF_THE_LOST} workers ended while they were at this, perhaps for want of memory; "
            "try fewer --jobs, or this one by itself"
        )
        if self.retry.lost is None:
            raise error
        return self.retry.lost(item, error)


def map_unordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers | int,
    retry: Retry = Retry(),
) -> Iterator[tuple[int, Result]]:
    """Yield the number of each item and what `function` makes of it, as they finish.

    With more than one worker, function, items and results must be picklable. An exception of the function, and Ctrl-C,
    stops all workers. Items are taken as workers come free.

    Raises:
        VQCError: workers cannot be had, or were killed and cannot be replaced.
    """
    yield from _run(function, items, workers, retry, _Order())


def map_ordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers | int,
    retry: Retry = Retry(),
) -> Iterator[Result]:
    """As `map_unordered`, in the order of the items; of results that wait for one before them there is a bound."""
    ready, order = dict[int, Result](), _Order(0)
    for number, result in _run(function, items, workers, retry, order):
        ready[number] = result
        while order.awaited in ready:
            result = ready.pop(order.awaited)
            order.awaited += 1
            yield result


def _run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers | int,
    retry: Retry,
    order: _Order,
) -> Iterator[tuple[int, Result]]:
    """Yield results as they finish, and take no item too far ahead of the one that the order waits for."""
    count = len(items) if isinstance(items, Sized) else None
    workers = workers if isinstance(workers, Workers) else Workers(workers)
    source, taken, ledger = iter(items), 0, _Ledger(retry, workers.elsewhere)
    with open_pool(function, workers, count) as pool:
        while True:
            while pool.room > 0:
                task = ledger.take_again(pool)
                if task is None:
                    places = len(ledger.given) + pool.room
                    if order.awaited is not None and taken - order.awaited >= AHEAD * places:
                        break
                    chosen = list(islice(source, min(pool.largest, 1 + taken // (GROWTH * places))))
                    if not chosen:
                        break
                    task = _Task(range(taken, taken + len(chosen)), chosen)
                    taken += len(chosen)
                ledger.submit(task, pool)
            if not ledger.given and not ledger.waiting and pool.room > 0:
                return
            for done in pool.wait():
                yield from ledger.settle(done.ticket, done.results, done.worker)
