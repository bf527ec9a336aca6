"""What runs in a worker of a Ray cluster."""

from __future__ import annotations

import ctypes
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vqc._version import __version__
from vqc.errors import ModelWarning
from vqc.processors import set_threads


@dataclass(frozen=True)
class Raised:
    """An exception of the function, which is to end everything; Ray would wrap it in one of its own."""

    error: BaseException


class Actor:
    """Calls one function for item after item; a task is interrupted by a call of `stop` from outside."""

    def __init__(self, function: Callable[[Any], Any], threads: int) -> None:
        self._function = function
        self._thread: int | None = None  # that is at work
        self._stopped = False
        warnings.simplefilter("ignore", ModelWarning)  # the driver has told of bad model files
        set_threads(threads)

    def version(self) -> str:
        """The version of vqc here."""
        return __version__

    def call(self, items: Sequence[Any]) -> list[Any] | Raised:
        """Call the function for each item."""
        self._thread = threading.get_ident()
        try:
            if self._stopped:
                raise KeyboardInterrupt
            return [self._function(item) for item in items]
        except BaseException as error:
            error.add_note(traceback.format_exc())  # which is not pickled
            return Raised(error)
        finally:
            self._thread = None

    def stop(self, seconds: float) -> None:
        """Raise KeyboardInterrupt in what is at work, and wait for it so long at most."""
        self._stopped = True
        end = time.monotonic() + seconds
        if self._thread is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
            )
        while self._thread is not None and time.monotonic() < end:
            time.sleep(0.02)
