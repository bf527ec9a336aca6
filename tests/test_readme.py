"""The README tells the truth: its help blocks are the real ones, and what it links to is there.

To bring the help blocks up to date: python tests/test_readme.py
"""

from __future__ import annotations

import os
import re
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


if __name__ == "__main__":
    new = HELP_BLOCK.sub(
        lambda match: f"```console\n$ {match[1]}\n{real_help(match[1])}```", README.read_text(encoding="utf-8")
    )
    README.write_text(new, encoding="utf-8")
