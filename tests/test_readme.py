"""The README tells the truth: its help blocks are the real ones, and what it links to is there.

To bring the help blocks up to date: python tests/test_readme.py
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
HELP_BLOCK = re.compile(r"```console\n\$ (vqc[^\n#]* --help)\n(.*?)```", re.DOTALL)


def real_help(command: str) -> str:
    """What the command prints in a terminal of 80 columns."""
    arguments = [sys.executable, "-m", "vqc", *shlex.split(command)[1:]]
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}
    run = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return run.stdout


def blocks() -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in HELP_BLOCK.finditer(README.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("command", "text"), blocks(), ids=[command for command, _ in blocks()])
def test_help_blocks_are_the_real_ones(command: str, text: str) -> None:
    assert text == real_help(command)


def test_there_are_help_blocks() -> None:
    assert len(blocks()) >= 2


def test_links_lead_somewhere() -> None:
    for page in (README, ROOT / "examples/README.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http://", "https://")):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_commands_in_the_text_exist() -> None:
    named = set(re.findall(r"(?<![\w/-])(scripts/[\w/.-]*\w)", README.read_text(encoding="utf-8")))
    assert named
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


def test_measured_blocks_are_those_that_the_program_writes() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/readme.py"))
    found = {match[2]: match[3] for match in program["BLOCK"].finditer(README.read_text(encoding="utf-8"))}
    assert set(found) == set(program["BLOCKS"])
    assert not [name for name, text in found.items() if not text.strip()]


def test_what_the_program_makes_of_measurements() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/readme.py"))

    def points(*pairs: tuple[float, float]) -> list[dict[str, object]]:
        return [
            {"setting": f"q{i}", "rate": rate, "scores": {"psnr": {"mean": psnr}}}
            for i, (rate, psnr) in enumerate(pairs, 1)
        ]

    ours, theirs = points((0.1, 27.0), (0.4, 31.0)), points((0.2, 28.0), (0.4, 30.0))
    assert program["gain"](ours, theirs, 0.2) == pytest.approx(29 - 28)  # 0.2 is half way between, in the logarithm
    assert program["gain"](ours, theirs, 0.1) is None
    assert program["table"](["a", "b"], [["x", "1"]]) == "| a | b |\n|---|--:|\n| x | 1 |\n"
    assert program["signed"](-0.25, 2) == "−0.25"
    static, coded = (
        {"curves": [{"points": points(*rates)}]} for rates in (((0.2, 1), (0.4, 2)), ((0.15, 1), (0.2, 2)))
    )
    assert program["saved"](static, coded) == pytest.approx([25, 50])


if __name__ == "__main__":
    new = HELP_BLOCK.sub(
        lambda match: f"```console\n$ {match[1]}\n{real_help(match[1])}```", README.read_text(encoding="utf-8")
    )
    README.write_text(new, encoding="utf-8")
