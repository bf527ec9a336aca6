"""A progress bar on stderr for what takes longer than a second, and nothing at all otherwise."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from vqc.cli.printing import warn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DELAY_SECONDS = 1.0


class ProgressBar:
    """Counts finished files, and parts of the one at work. Shows itself after a second, if stderr is a terminal."""

    def __init__(self, label: str, total: int, *, quiet: bool = False) -> None:
        self.label, self.total, self.done = label, total, 0.0
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.lock = threading.Lock()
        self.timer: threading.Timer | None = None
        if not quiet and sys.stderr is not None and sys.stderr.isatty():
            self.timer = threading.Timer(DELAY_SECONDS, self.show)
            self.timer.daemon = True

    def __enter__(self) -> ProgressBar:
        if self.timer is not None:
            self.timer.start()
        return self

    def show(self) -> None:
        """Draws the bar; called by the timer."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        with self.lock:
            if self.timer is None:
                return
            columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()]
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.label, total=self.total)
            self.bar.update(self.task, completed=self.done)
            self.bar.start()

    def advance(self) -> None:
        """One more file is finished."""
        self.done += 1
        self.part(0)

    def part(self, share: float) -> None:
        """This share, 0 to 1, of the next file is done."""
        with self.lock:
            if self.bar is not None and self.task is not None:
                self.bar.update(self.task, completed=self.done + share)

    def at(self, done: int, total: int) -> None:
        """So many of all are done, where the total becomes known on the way."""
        with self.lock:
            self.done, self.total = float(done), total
            if self.bar is not None and self.task is not None:
                self.bar.update(self.task, completed=done, total=total)

    def warn(self, text: str) -> None:
        """Prints one line on stderr without tearing the bar."""
        with self.lock:
            if self.bar is not None:
                self.bar.console.print(f"vqc: {text}", highlight=False, markup=False, soft_wrap=True)
            else:
                warn(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            timer, self.timer = self.timer, None
            if timer is not None:
                timer.cancel()
            if self.bar is not None:
                self.bar.stop()
