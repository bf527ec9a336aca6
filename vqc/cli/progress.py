"""Progress on stderr of work that takes longer than a second: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from vqc.cli.console import warn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DELAY_SECONDS = 1.0


class ProgressBar:
    """Counts finished files, and parts of the one at work.

    Once a second has passed it shows itself as a bar, if stderr is a terminal; elsewhere every finished file of several
    is a line, those of the first second too.
    """

    def __init__(self, label: str, total: int, *, quiet: bool = False) -> None:
        self.verb, self.label, self.total, self.done = label, label, total, 0.0
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.lock = threading.Lock()
        self.timer: threading.Timer | None = None
        self.waiting: list[str] | None = []  # lines for which a second has not passed yet; None: it has
        self.quiet = quiet or sys.stderr is None
        self.drawn = not self.quiet and sys.stderr.isatty()
        if not self.quiet:
            self.timer = threading.Timer(DELAY_SECONDS, self.show)
            self.timer.daemon = True

    def __enter__(self) -> ProgressBar:
        if self.timer is not None:
            self.timer.start()
        return self

    def show(self) -> None:
        """Draw the bar, or prints the lines that wait; called by the timer."""
        with self.lock:
            if self.timer is None:
                return
            if not self.drawn:
                for line in self.waiting or ():
                    warn(line)
                self.waiting = None
                return
            self._draw()

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        count = [TextColumn("{task.fields[count]}")] if self.total > 1 else []
        columns = [TextColumn("{task.description}", markup=False), *count, BarColumn(), TaskProgressColumn()]
        self.bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(self.label, total=self.total, count=self._count())
        self.bar.update(self.task, completed=self.done)
        self.bar.start()

    def _count(self) -> str:
        return f"{min(int(self.done) + 1, self.total)}/{self.total}"

    def begin(self, name: str) -> None:
        """This file is at work now."""
        with self.lock:
            self.label = f"{self.verb} {name}"
            if self.bar is not None and self.task is not None:
                self.bar.update(self.task, description=self.label)

    def advance(self, line: str = "") -> None:
        """One more file is finished; `line` says which, where there is no bar."""
        self.done += 1
        self.part(0)
        if line and self.total > 1 and not self.quiet and not self.drawn:
            with self.lock:
                line = f"{int(self.done)} of {self.total}: {line}"
                if self.waiting is None:
                    warn(line)
                else:
                    self.waiting.append(line)

    def part(self, share: float) -> None:
        """This share, 0 to 1, of the next file is done."""
        with self.lock:
            if self.bar is not None and self.task is not None:
                self.bar.update(self.task, completed=self.done + share, count=self._count())

    def at(self, done: int, total: int) -> None:
        """Show how many of all are done, where the total becomes known on the way."""
        with self.lock:
            self.done, self.total = float(done), total
            if self.bar is not None and self.task is not None:
                self.bar.update(self.task, completed=done, total=total, count=self._count())

    def warn(self, text: str) -> None:
        """Print one line on stderr without tearing the bar."""
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
