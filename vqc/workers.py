"""Worker processes: one function for many items, several at a time.

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
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from vqc import garbage
from vqc.errors import ModelWarning, VQCError
from vqc.processors import set_threads, share

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

GRACE_SECONDS = 10.0  # for work to clean up after itself

Item = TypeVar("Item")
Result = TypeVar("Result")

_stop: Event | None = None  # in a worker: set when the others are to stop as well
_at_work = False  # in a worker: whether it is at an item


def map_unordered(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[int, Result]]:
    """Yield the number of each item and what `function` makes of it, as they finish, `workers` at a time.

    With more than one worker the items go to processes, which divide the cores among them; `function` and items must
    then be picklable. An exception of the function, and Ctrl-C, stops all workers.

    Raises:
        VQCError: a worker was killed.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from ((index, function(item)) for index, item in enumerate(items))
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ExitStack() as stack:
        with _deaf_children():  # the process that tracks their semaphores, too
            stop = context.Event()
            given = (share(workers), stop)
            pool = stack.enter_context(
                ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=given)
            )
            futures = {pool.submit(_call, function, item): index for index, item in enumerate(items)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenExecutor as error:
            raise VQCError("a worker process was killed, perhaps for want of memory; try fewer --jobs") from error
        except BaseException:
            stop.set()  # before the signal: a worker either sees the one or gets the other
            for child in multiprocessing.active_children():
                if child.pid is not None and sys.platform != "win32":  # there the console tells all, and this kills
                    with suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGINT)
            pool.shutdown(wait=True, cancel_futures=True)
            raise


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


def _call(function: Callable[[Any], Result], item: Any) -> Result:
    """Call the function where it can be interrupted."""
    with _interruptible():
        parent = multiprocessing.parent_process()
        if (parent is not None and not parent.is_alive()) or (_stop is not None and _stop.is_set()):
            raise KeyboardInterrupt
        return function(item)


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
