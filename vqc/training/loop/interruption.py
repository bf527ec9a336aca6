"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) ask a run to end at the next step rather than at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none


class Interruption:
    """Remembers that the user has asked for the end; a second signal ends the program as it would have without us.

    Within `guard` the first signal raises KeyboardInterrupt already: a validation may take minutes.
    """

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Take signals as requests within. In a thread, where Python has no signals, nothing is changed."""
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            hangs_up = HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN  # nohup wants none
            taken = (*SIGNALS, HANGUP) if HANGUP is not None and hangs_up else SIGNALS
            self._before = {number: signal.signal(number, self._on_signal) for number in taken}
        try:
            yield
        finally:
            self._restore_handlers()

    def guard(self, work: Callable[[], Result]) -> Result | None:
        """Return the result of `work`, or None when a signal came before or cut it short."""
        if self.requested:
            return None
        self._at_once = True
        try:
            return work()
        except KeyboardInterrupt:
            if not self.requested:
                raise
            return None
        finally:
            self._at_once = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore_handlers()
        if self._at_once:
            raise KeyboardInterrupt

    def _restore_handlers(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
