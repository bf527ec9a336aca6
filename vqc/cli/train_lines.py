"""The display of `vqc train` where nothing can be redrawn: a line for every row of figures.

step 1,050 of 2,000 after 7.4 s, 6.7 s left: loss 0.1003, PSNR 24.31 dB, perplexity 299
step 1,050 of 2,000 after 7.4 s: validation score 0.003554, PSNR 24.50 dB, the best so far
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from vqc.cli.console import duration

if TYPE_CHECKING:
    from vqc.training.loop.callbacks import Outcome, RunPlan


OTHER_FIGURES = 8  # of the task, at most


def short(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 9999.5 else f"{value:.4g}"


def speed(steps_per_second: float) -> str:
    """Step a second, or seconds a step where that is the handier number."""
    slow = 0 < steps_per_second < 1
    return f"{1 / steps_per_second:.3g} s a step" if slow else f"{steps_per_second:.3g} steps/s"


# What is shown of a row, in this order, and how; other figures of the task follow under their own names.
FIGURES: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "loss": ("loss", short),
    "psnr": ("PSNR", "{:.2f} dB".format),
    "snr": ("SNR", "{:.2f} dB".format),
    "mel": ("mel distance", short),
    "bits_per_code": ("bits per code", "{:.3f}".format),
    "saving_percent": ("saved", "{:.1f} %".format),
    "perplexity": ("perplexity", "{:,.0f}".format),
    "used": ("codes in use", lambda share: f"{100 * share:.0f} %"),
    "lr": ("learning rate", "{:.2g}".format),
    "steps_per_second": ("speed", speed),
    "data_share": ("waiting for data", lambda share: f"{100 * share:.1f} %"),
}
# Said elsewhere on the display, or only of use in metrics.jsonl. The error is there in decibels.
LEFT_OUT = {"step", "minutes", "gradient_norm", "codebook_size", "mse", "score"}


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


def seconds_left(plan: RunPlan, row: Mapping[str, float], step_seconds: float) -> float:
    """Until the steps or the minutes are used up, whichever comes first; validations come on top."""
    by_steps = (plan.steps - row["step"]) * step_seconds if step_seconds else math.inf
    by_minutes = math.inf if plan.minutes is None else 60 * (plan.minutes - row.get("minutes", 0.0))
    return max(0.0, min(by_steps, by_minutes))


def describe(row: Mapping[str, float], prefix: str = "", others: int = OTHER_FIGURES) -> list[tuple[str, str]]:
    """Names and values for people, the well-known figures first."""
    row = {name.removeprefix(prefix): value for name, value in row.items()}
    texts = {name: form(row[name]) for name, (_, form) in FIGURES.items() if name in row}
    if "used" in texts and "codebook_size" in row:
        texts["used"] += f" of {row['codebook_size']:,.0f}"
    known = [(FIGURES[name][0], text) for name, text in texts.items()]
    rest = [name for name in row if name not in FIGURES and name not in LEFT_OUT]
    return known + [(name.replace("_", " "), short(row[name])) for name in rest[:others]]
