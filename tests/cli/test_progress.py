"""What is told of work that takes longer than a second: a bar with names and counts, or lines where there is none."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vqc.cli import progress
from vqc.cli.batch import run_plan
from vqc.cli.plan import InputFile, Job, Plan
from vqc.cli.progress import ProgressBar

REPORT: Any = SimpleNamespace(damage=())


class Terminal(io.StringIO):
    """Somewhere that can draw."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")


def plan_of(folder: Path, names: str) -> Plan:
    sources = [InputFile(folder / name, Path(name), name) for name in names]
    return Plan([Job(source, folder / f"{source.name}.vqc", ".vqc") for source in sources])


def wait_for(bar: ProgressBar) -> None:
    assert bar.timer is not None
    bar.timer.join()


def test_a_bar_names_the_file_and_counts(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with ProgressBar("Compressing", 3) as bar:
        bar.begin("a.png")
        wait_for(bar)
        assert bar.bar is not None
        task = bar.bar.tasks[0]
        assert (task.description, task.fields["count"], task.percentage) == ("Compressing a.png", "1/3", 0)
        bar.part(0.5)
        assert task.percentage == pytest.approx(100 / 6)
        bar.advance("a.png -> a.vqc")
        bar.begin("b.png")
        assert (task.description, task.fields["count"]) == ("Compressing b.png", "2/3")
        assert any(type(column).__name__ == "TimeRemainingColumn" for column in bar.bar.columns)
    assert "a.vqc" not in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_without_a_terminal_each_file_is_a_line(at_once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    def work(job: Job, target: Path, told: Any) -> Any:
        if job.source.name == "b":
            raise OSError(5, "broken")
        return REPORT

    run_plan(plan_of(tmp_path, "abc"), work, "Compressing", workers=1, quiet=False)
    lines = sys.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
    assert f"vqc: 1 of 3: a -> {tmp_path / 'a.vqc'}" in lines
    assert f"vqc: 3 of 3: c -> {tmp_path / 'c.vqc'}" in lines
    assert [line for line in lines if "broken" in line] == ["vqc: b: broken"]


@pytest.mark.parametrize(("names", "quiet"), [("a", False), ("abc", True)])
def test_one_file_or_quiet_says_nothing(
    at_once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: str, quiet: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run_plan(plan_of(tmp_path, names), lambda *_: REPORT, "Compressing", workers=1, quiet=quiet)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_what_takes_less_than_a_second_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 60.0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run_plan(plan_of(tmp_path, "abc"), lambda *_: REPORT, "Compressing", workers=1, quiet=False)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
