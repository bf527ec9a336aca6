"""The display of `vqc train`: on a terminal a live summary of the run, elsewhere one line a row.

::

    runs/cifar10  step 1,250 of 3,000  ━━━━━━━━━━━━━━━━━━━━━━━━  12:03 min left
    loss                0.1003  PSNR                24.31 dB
    perplexity             299  codes in use     98 % of 512
    learning rate       0.0004  speed            3.4 steps/s
    validation  █▅▃▂▁▁  score 0.003554 at step 1,000, the best so far
    PSNR 24.50 dB, perplexity 394
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from vqc.cli.console import duration
from vqc.cli.train_lines import describe, seconds_left, short

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from vqc.training.loop.callbacks import Outcome, RunPlan

DRAWINGS_PER_SECOND = 2  # also without news, because the time left runs down
WIDE = 72  # characters: figures in two columns
SPARKS = "▁▂▃▄▅▆▇█"
ASCII_SPARKS = "_.-=+*#@"
LATEST_SCORES = 24


class TrainDisplay:
    """A few lines on stderr that stay where they are and show the latest figures; the last ones are left standing.

    What others write to stderr meanwhile appears above it; stdout is left alone.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.clock = console, clock
        self.live: Live | None = None
        self.plan: RunPlan | None = None
        self.outcome: Outcome | None = None
        self.row: Mapping[str, float] = {}
        self.validation: Mapping[str, float] = {}
        self.scores: list[tuple[int, float]] = []  # steps and scores of all validations
        self.seconds_left: float | None = None  # when the latest row came
        self.step_seconds = 0.0  # running mean
        self.heard = 0.0  # time of the latest row

    def started(self, plan: RunPlan) -> None:
        from rich.console import Console
        from rich.live import Live

        self.plan = plan
        if plan.start_step:
            self._remember(plan)
        self.live = Live(
            self,
            console=self.console or Console(stderr=True),
            refresh_per_second=DRAWINGS_PER_SECOND,
            redirect_stdout=False,
        )
        self.live.start()

    def logged(self, row: Mapping[str, float]) -> None:
        self.heard = self.clock()
        rate = row.get("steps_per_second", 0.0)
        if rate > 0:
            self.step_seconds = 0.7 * self.step_seconds + 0.3 / rate if self.step_seconds else 1 / rate
        if self.plan is not None:
            self.seconds_left = seconds_left(self.plan, row, self.step_seconds)
        self.row = row

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        self._add_score(row)
        self.validation = row

    def ended(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self.live is not None:
            self.live.stop()  # draws once more

    def _remember(self, plan: RunPlan) -> None:
        """Scores of the run before it was interrupted."""
        from vqc.errors import TrainingError
        from vqc.training.history import read_history

        try:
            rows = read_history(plan.run_dir).validation
        except (OSError, TrainingError):  # nothing that training should not begin for
            return
        for row in rows:
            self.validated(row, best=False)

    def _add_score(self, row: Mapping[str, float]) -> None:
        if math.isfinite(row.get("val_score", math.nan)):
            self.scores = [*self.scores, (int(row["step"]), row["val_score"])]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        yield from self._head(wide)
        if self.row:
            yield grid(describe(self.row), columns=2 if wide else 1)
        yield self._validation(SPARKS if not options.ascii_only else ASCII_SPARKS)

    def _head(self, wide: bool) -> Iterable[Table | Text]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        assert self.plan is not None
        step = int(self.outcome.step if self.outcome else self.row.get("step", self.plan.start_step))
        minutes = self.row.get("minutes", 0.0)
        of = "" if self.plan.minutes is not None else f" of {self.plan.steps:,}"
        title = Text.assemble((str(self.plan.run_dir), "bold"), f"  step {step:,}{of}")
        done = max(step / max(1, self.plan.steps), minutes / self.plan.minutes if self.plan.minutes else 0.0)
        bar = ProgressBar(total=1.0, completed=min(1.0, done), complete_style="cyan", finished_style="green")
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        if wide:
            table.add_column(no_wrap=True)
        else:
            yield title
        table.add_column(ratio=1)
        table.add_column(no_wrap=True)
        table.add_row(*([title] if wide else []), bar, Text(self._when()))
        yield table

    def _when(self) -> str:
        if self.outcome is not None:
            how = "interrupted" if self.outcome.interrupted else "done"
            return f"{how} after {duration(self.outcome.seconds)}"
        if self.seconds_left is None:
            return "waiting for the first figures"
        left = self.seconds_left - (self.clock() - self.heard)
        if left <= 0:
            return "nearly done"
        return f"{left:.0f} s left" if left < 60 else f"{duration(left)} left"

    def _validation(self, levels: str) -> Text:
        from rich.text import Text

        if not self.scores:
            return Text.assemble(("validation", "dim"), "  none yet")
        (step, score), (best_step, best) = self.scores[-1], min(self.scores, key=lambda one: one[1])
        compared = "the best so far" if best_step == step else f"best {short(best)} at step {best_step:,}"
        sparks = sparkline([score for _, score in self.scores[-LATEST_SCORES:]], levels)
        others = ", ".join(f"{name} {value}" for name, value in describe(self.validation, "val_", others=0))
        return Text.assemble(
            ("validation", "dim"),
            f"  {sparks}{'  ' if sparks else ''}score {short(score)} at step {step:,}, {compared}",
            f"\n{others}" if others else "",
        )


def grid(figures: Sequence[tuple[str, str]], columns: int) -> Table:
    """Arrange names with their values in a number of columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns):
        table.add_column(style="dim")  # where it is narrow, names give way to values
        table.add_column(justify="right", no_wrap=True, min_width=10)
    cells = [Text(cell) for figure in figures for cell in figure]
    for start in range(0, len(cells), 2 * columns):
        table.add_row(*cells[start : start + 2 * columns])
    return table


def sparkline(values: Sequence[float], levels: str = SPARKS) -> str:
    """Values as heights from the lowest to the highest of them: "█▅▃▂▁▁". Nothing for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(levels[round((value - low) * scale)] for value in values)
