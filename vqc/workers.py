"""Worker processes that end with the process that started them, however that one ends.

A killed process tells nobody. But each worker holds one end of a pipe of which its parent has the other, and a thread
waits there for its end.
"""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

GRACE_SECONDS = 10.0  # for work to clean up after itself


def end_with_parent(at_work: Callable[[], bool] = lambda: False) -> None:
    """Of a worker process, once: ends it when its parent is gone. Does nothing in a process that has no parent.

    While `at_work()` says that there is something to clean up, the main thread first gets a KeyboardInterrupt for it,
    if it listens to SIGINT.
    """
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is None:
            return
        parent.join()
        end = time.monotonic() + GRACE_SECONDS
        _interrupt_main()
        while at_work() and time.monotonic() < end:
            time.sleep(0.02)
        os._exit(1)  # the main thread may wait for more work for ever

    threading.Thread(target=wait, name="parent", daemon=True).start()


def is_orphan() -> bool:
    """Whether this is a worker process whose parent is gone."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


def _interrupt_main() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:  # unlike that, also ends a wait
        main = threading.main_thread().ident
        assert main is not None, "it has started us"
        signal.pthread_kill(main, signal.SIGINT)
