"""The display of `vqc train` where nothing can be redrawn: a line for every row of figures.

step 1,050 of 2,000 after 7.4 s, 6.7 s left: loss 0.1003, PSNR 24.31 dB, perplexity 299
step 1,050 of 2,000 after 7.4 s: validation score 0.003554, PSNR 24.50 dB, the best so far
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from vqc.cli.console import duration
from vqc.cli.train_display import describe, seconds_left, short

if TYPE_CHECKING:
    from vqc.training.loop.callbacks import Outcome, RunPlan


class TrainLines:
    """Writes to stderr, for logs that are read in a file or through a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self.plan: RunPlan | None = None

    def started(self, plan: RunPlan) -> None:
        self.plan = plan
        self._write(f"training in {plan.run_dir} from step {plan.start_step:,}")

    def logged(self, row: Mapping[str, float]) -> None:
        assert self.plan is not None
        rate = row.get("steps_per_second", 0.0)
        left = seconds_left(self.plan, row, 1 / rate if rate > 0 else 0.0)
        when = f", {duration(left)} left" if math.isfinite(left) else ""
        self._write(f"{self._at(row)}{when}: {in_words(row)}")

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        figures = in_words(row, "val_")
        parts = [f"validation score {short(row['val_score'])}", *([figures] if figures else [])]
        self._write(f"{self._at(row)}: {', '.join([*parts, *(['the best so far'] if best else [])])}")

    def ended(self, outcome: Outcome) -> None:
        how = "interrupted" if outcome.interrupted else "finished"
        self._write(f"{how} at step {outcome.step:,} after {duration(outcome.seconds)} of training")

    def _at(self, row: Mapping[str, float]) -> str:
        assert self.plan is not None
        of = f" of {self.plan.steps:,}" if self.plan.minutes is None else ""
        return f"step {int(row['step']):,}{of} after {duration(60 * row.get('minutes', 0.0))}"

    def _write(self, text: str) -> None:
        print(text, file=self.stream or sys.stderr, flush=True)


def in_words(row: Mapping[str, float], prefix: str = "") -> str:
    """Names and values of a row, with their units: `loss 0.34, PSNR 24.31 dB`."""
    return ", ".join(f"{name} {value}" for name, value in describe(row, prefix))
