"""What a scheduler asks of workers, and the worker that is this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol


class Finished(NamedTuple):
    """A task that a worker has done, or was at when it ended."""

    ticket: int
    results: Sequence[Any] | None  # one for each item of the task; None: the worker was lost
    worker: object = None  # who had it


class Pool(Protocol):
    """Workers that have been given one function for all their tasks; a context manager, whose end is theirs.

    When the context ends by an exception, work is stopped as by Ctrl-C, and cleans up after itself.
    """

    @property
    def room(self) -> int:
        """How many tasks it takes now; with less in flight, workers would have to wait."""

    @property
    def largest(self) -> int:
        """How many items a task may have: more than one where the way to a worker is long."""

    def can_avoid(self, worker: object) -> bool:
        """Whether others have room, or there are none: if not, a task that is not for this one has to wait."""

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        """Give a task to a worker, to another than `avoid` if there is one."""

    def wait(self) -> Sequence[Finished]:
        """Wait until something happens, and return what has finished, if that was it.

        An exception of the function is raised. VQCError: there are no workers any more.
        """

    def __enter__(self) -> Pool: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None: ...


class ThisProcess:
    """A pool of one worker: whoever waits works."""

    largest = 1

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function, self._given = function, list[tuple[int, Sequence[Any]]]()

    @property
    def room(self) -> int:
        """One task at a time."""
        return 1 - len(self._given)

    def can_avoid(self, worker: object) -> bool:
        """There are no others."""
        return True

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        """Take a task."""
        self._given.append((ticket, items))

    def wait(self) -> Sequence[Finished]:
        """Do it."""
        ticket, items = self._given.pop()
        return [Finished(ticket, [self._function(item) for item in items])]

    def __enter__(self) -> ThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass
