"""Numbers for people, JSON for programs."""

from __future__ import annotations

import json

import pytest

from vqc.cli.console import duration, number, print_json, print_table, sentence, size
from vqc.errors import MediaError


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (4_560_000, "4.56 MB"),
        (7_000_000_000_000_000, "7,000 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.09874, "0.0987"), (1.5, "1.50"), (256.2, "256"), (999.6, "1,000"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.123, "0.12 s"), (12.34, "12.3 s"), (187.2, "3:07 min"), (3723, "1:02:03 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_error_is_one_line() -> None:
    assert sentence(MediaError("a.png:\n  is\tno picture")) == "a.png: is no picture"
    assert sentence(PermissionError(13, "Permission denied", "x.vqc")) == "x.vqc: Permission denied"
    assert sentence(OSError("disk on fire")) == "disk on fire"
    assert "memory" in sentence(MemoryError())


def test_json_stays_json_whatever_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"psnr": float("inf"), "deep": {"x": (float("nan"), 1.5)}, "name": "ü"}])
    assert json.loads(capsys.readouterr().out) == [{"psnr": None, "deep": {"x": [None, 1.5]}, "name": "ü"}]


def test_a_table_in_a_pipe_is_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    long = "folder/" * 30 + "[bold]x.png"
    print_table(["input", "out"], [[long, "1"], ["b", "22"]])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(long) and line.endswith(" 1") for line in lines)
