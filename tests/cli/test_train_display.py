"""The live display: what it says, where it fits, how often it draws, and what it leaves behind."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from vqc.cli.train_display import SPARKS, TrainDisplay, sparkline
from vqc.cli.train_lines import TrainLines, seconds_left
from vqc.cli.train_run import display
from vqc.training.loop.callbacks import Outcome, RunPlan

ROW = {
    "step": 1250,
    "minutes": 5.0,
    "loss": 0.10031,
    "mse": 0.0037,
    "psnr": 24.312,
    "perplexity": 299.4,
    "used": 0.977,
    "codebook_size": 512,
    "lr": 0.00042,
    "steps_per_second": 4.0,
    "data_share": 0.012,
    "gradient_norm": 0.5,
    "stft_loss": 1.5,
}
PLAN = RunPlan(2450, None, 0, Path("runs/lamps"))
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A display on a terminal that is a string, with a clock that stands still until it is moved."""

    def __init__(self, width: int) -> None:
        self.now, self.out = 0.0, io.StringIO()
        self.console = Console(file=self.out, force_terminal=True, width=width, height=50)
        self.display = TrainDisplay(self.console, clock=lambda: self.now)

    def screen(self) -> str:
        """What the display looks like now."""
        with self.console.capture() as captured:
            self.console.print(self.display)
        return ESCAPES.sub("", captured.get())


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    terminal = Terminal(getattr(request, "param", 100))
    yield terminal
    if terminal.display.live is not None:
        terminal.display.live.stop()


def test_it_shows_the_figures_of_the_latest_row(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    assert "waiting for the first figures" in terminal.screen()
    terminal.display.logged({**ROW, "loss": 7.0})
    terminal.display.logged(ROW)
    words = " ".join(terminal.screen().split())
    for piece in (
        "runs/lamps step 1,250 of 2,450",
        "loss 0.1003",
        "PSNR 24.31 dB",
        "perplexity 299",
        "codes in use 98 % of 512",
        "learning rate 0.00042",
        "speed 4 steps/s",
        "waiting for data 1.2 %",
        "stft loss 1.5",
        "validation none yet",
    ):
        assert piece in words
    assert "loss 7" not in words
    assert "mse" not in words


def test_it_shows_the_last_validation_and_the_best(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    for step, score in ((100, 0.9), (200, 0.2), (300, 0.55)):
        terminal.display.validated({"step": step, "val_score": score, "val_psnr": 24.5}, best=score < 0.3)
    assert "validation  █▁▅  score 0.55 at step 300, best 0.2 at step 200\nPSNR 24.50 dB" in terminal.screen()
    terminal.display.validated({"step": 400, "val_score": 0.1}, best=True)
    assert "score 0.1 at step 400, the best so far" in terminal.screen()


def test_the_time_left_runs_down_between_rows(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    terminal.display.logged(ROW)  # 1,200 steps to go, 4 a second
    assert "5:00 min left" in terminal.screen()
    terminal.now = 255.0
    assert "45 s left" in terminal.screen()
    terminal.now = 400.0
    assert "nearly done" in terminal.screen()


@pytest.mark.parametrize(("minutes", "left"), [(None, 300.0), (7.0, 120.0), (60.0, 300.0), (4.0, 0.0)])
def test_the_time_left_is_that_of_the_steps_or_the_minutes(minutes: float | None, left: float) -> None:
    assert seconds_left(PLAN._replace(minutes=minutes), ROW, 0.25) == left


@pytest.mark.parametrize("terminal", [1, 3, 20, 40, 71, 72, 200], indirect=True)
def test_no_line_is_wider_than_the_terminal(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    terminal.display.logged(ROW)
    terminal.display.validated({"step": 1250, "val_score": 0.5, "val_psnr": 24.5}, best=True)
    assert max(map(cell_len, terminal.screen().splitlines())) <= terminal.console.width
    if terminal.console.width >= 20:  # names give way to values
        for value in ("0.1003", "24.31 dB", "299", "98 % of 512", "4 steps/s", "5:00 min left"):
            assert value in terminal.screen()
        assert "step 1,250 of 2,450" in " ".join(terminal.screen().split())


def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        terminal = Terminal(100)
        terminal.display.started(PLAN)
        terminal.display.logged(ROW)
        terminal.display.ended(Outcome(2450, 600.0, 0.1, interrupted=False))
        return terminal.out.getvalue()

    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38|48)[0-9;]*m")
    assert colour.search(drawn())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(drawn())


def test_rows_do_not_make_it_draw(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings = 0
    draw = TrainDisplay.__rich_console__

    def counted(*arguments: object) -> object:
        nonlocal drawings
        drawings += 1
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainDisplay, "__rich_console__", counted)
    terminal.display.started(PLAN)
    assert terminal.display.live is not None
    assert terminal.display.live.refresh_per_second <= 4
    before = drawings
    for step in range(2000):
        terminal.display.logged({**ROW, "step": step})
    assert drawings - before < 20  # the clock alone draws; 2,000 rows take well below a second


def test_the_last_state_is_left_on_the_screen(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    terminal.display.logged(ROW)
    terminal.display.logged({**ROW, "step": 2450, "loss": 0.0625})
    terminal.display.ended(Outcome(2450, 615.0, 0.1, interrupted=False))
    written = terminal.out.getvalue()
    last = ESCAPES.sub("", written[written.rindex("runs/lamps") :])
    assert "step 2,450 of 2,450" in last
    assert "done after 10:15 min" in last
    assert "0.0625" in last
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back


def test_an_interrupted_run_says_so(terminal: Terminal) -> None:
    terminal.display.started(PLAN)
    terminal.display.ended(Outcome(77, 30.0, float("inf"), interrupted=True))
    assert "step 77 of 2,450" in terminal.screen()
    assert "interrupted after 30.0 s" in terminal.screen()


@pytest.mark.parametrize("damaged", [False, True])
def test_a_resumed_run_remembers_its_validations(terminal: Terminal, tmp_path: Path, damaged: bool) -> None:
    rows = [{"step": 10, "val_score": 0.25}, {"step": 20, "val_score": 0.5}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "metrics.jsonl").write_text("?\n" + text if damaged else text)
    terminal.display.started(PLAN._replace(start_step=20, run_dir=tmp_path))
    expected = "none yet" if damaged else "score 0.5 at step 20, best 0.25 at step 10"
    assert expected in " ".join(terminal.screen().split())


def test_sparks_rise_from_the_lowest_to_the_highest() -> None:
    assert sparkline(list(range(8))) == SPARKS
    assert sparkline([3.0, 3.0]) == SPARKS[0] * 2
    assert sparkline([-2.0, -9.0, -5.5], "_-^") == "^_-"
    assert sparkline([1.0]) == ""


@pytest.mark.parametrize(
    ("is_terminal", "kind", "expected"),
    [(True, "xterm", TrainDisplay), (True, "dumb", TrainLines), (False, "xterm", TrainLines)],
)
def test_lines_are_for_those_who_cannot_redraw(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, kind: str, expected: type
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", kind)
    assert type(display()) is expected


def test_in_a_file_every_row_is_a_line_with_units_and_the_time_left() -> None:
    out = io.StringIO()
    lines = TrainLines(out)
    lines.started(RunPlan(2000, None, 0, Path("runs/a")))
    row = {"step": 1050, "minutes": 0.1234567, "loss": 12345.678, "psnr": 24.314, "lr": 0.0003, "gradient_norm": 1.5}
    lines.logged({**row, "steps_per_second": 100.0, "data_share": 0.01})
    lines.validated({"step": 1050, "minutes": 0.1234567, "val_score": -2.5, "val_psnr": 25.0}, best=True)
    lines.validated({"step": 2000, "minutes": 0.2, "val_score": -2.4}, best=False)
    lines.ended(Outcome(2000, 120.0, -2.5, interrupted=False))
    assert out.getvalue().splitlines() == [
        "training in runs/a from step 0",
        "step 1,050 of 2,000 after 7.41 s, 9.50 s left: loss 12,346, PSNR 24.31 dB, learning rate 0.0003, "
        "speed 100 steps/s, waiting for data 1.0 %",
        "step 1,050 of 2,000 after 7.41 s: validation score -2.5, PSNR 25.00 dB, the best so far",
        "step 2,000 of 2,000 after 12.0 s: validation score -2.4",
        "finished at step 2,000 after 2:00 min of training",
    ]


def test_a_run_by_the_clock_has_no_number_of_steps() -> None:
    out = io.StringIO()
    lines = TrainLines(out)
    lines.started(RunPlan(10**9, 3.0, 0, Path("runs/a")))
    lines.logged({"step": 50, "minutes": 1.0, "loss": 0.5, "steps_per_second": 2.0})
    assert out.getvalue().splitlines()[1] == "step 50 after 1:00 min, 2:00 min left: loss 0.5, speed 2 steps/s"
