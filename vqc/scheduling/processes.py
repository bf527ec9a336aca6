"""Worker processes on this machine.

Workers share nothing and can be interrupted at any time. They are started with Ctrl-C ignored and listen to it only
while at work, so that none of them prints a traceback. Of a terminal that is closed (SIGHUP) the parent tells them.
They end with the process that started them, however that one ends: a killed process tells nobody, but each worker holds
one end of a pipe of which its parent has the other, and a thread waits there for its end.
"""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vqc import garbage
from vqc.errors import ModelWarning, VQCError
from vqc.processors import set_threads, share
from vqc.scheduling.pool import Finished

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

GRACE_SECONDS = 10.0  # for work to clean up after itself

_stop: Event | None = None  # in a worker: set when the others are to stop as well
_at_work = False  # in a worker: whether it is at an item


class Processes:
    """A pool of processes, which divide the cores among them; the function and all items must be picklable.

    An exception of the function, and Ctrl-C, stops all of them.
    """

    largest = 1

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._function, self._workers = function, workers
        self._tickets = dict[Future[Any], int]()
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
        with _deaf_children():  # the process that tracks their semaphores, too
            self._stop = context.Event()
            given = (share(workers), self._stop)
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=given)

    @property
    def room(self) -> int:
        """Each has one task and one that waits for it."""
        return 2 * self._workers - len(self._tickets)

    def can_avoid(self, worker: object) -> bool:
        """What failed in one would in all."""
        return True

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        """Give a task to whoever is free first."""
        with _deaf_children():  # which may start one
            self._tickets[self._pool.submit(_call, self._function, items)] = ticket

    def wait(self) -> Sequence[Finished]:
        """Wait for the first to finish. VQCError when a process was killed."""
        done, _ = wait(self._tickets, return_when=FIRST_COMPLETED)
        try:
            return [Finished(self._tickets.pop(future), future.result()) for future in done]
        except BrokenExecutor as error:
            raise VQCError("a worker process was killed, perhaps for want of memory; try fewer --jobs") from error

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error.__cause__, BrokenExecutor):
            self._stop.set()  # before the signal: a worker either sees the one or gets the other
            for child in multiprocessing.active_children():
                if child.pid is not None and sys.platform != "win32":  # there the console tells all, and this kills
                    with suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGINT)
        self._pool.shutdown(wait=True, cancel_futures=error is not None)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that are started within inherit that Ctrl-C is ignored and the end of a terminal is held back."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _begin(threads: int, stop: Event) -> None:
    """Prepare a worker: its share of the cores, its end; the parent has told of bad model files."""
    global _stop
    _stop = stop
    garbage.postpone()
    warnings.simplefilter("ignore", ModelWarning)
    set_threads(threads)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _call(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call the function for each item of a task, where it can be interrupted."""
    with _interruptible():
        parent = multiprocessing.parent_process()
        if (parent is not None and not parent.is_alive()) or (_stop is not None and _stop.is_set()):
            raise KeyboardInterrupt
        return [function(item) for item in items]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM interrupt what may have something to clean up; SIGTERM then ends the worker."""
    global _at_work
    received: list[int] = []

    def interrupted(signal_number: int, _frame: object) -> None:
        received.append(signal_number)
        if len(received) == 1:
            raise KeyboardInterrupt

    _at_work = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _at_work = False
        if signal.SIGTERM in received:
            os._exit(128 + signal.SIGTERM)  # by an exit the pool would only learn that this item has failed


def _end_with_parent() -> None:
    """Wait for the parent's end, then end this process; what is at work first gets a KeyboardInterrupt."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    end = time.monotonic() + GRACE_SECONDS
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:  # unlike that, also ends a wait
        main = threading.main_thread().ident
        assert main is not None, "it has started us"
        signal.pthread_kill(main, signal.SIGINT)
    while _at_work and time.monotonic() < end:
        time.sleep(0.02)
    os._exit(1)  # the main thread may wait for work without end
