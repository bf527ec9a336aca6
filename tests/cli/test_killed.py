"""A run of a folder may be killed at any moment; `python scripts/killed.py` tries 60."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts/killed.py"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_run_breaks_nothing_and_leaves_nobody(tmp_path: Path) -> None:
    lines = runpy.run_path(str(SCRIPT))["kill_often"](1, tmp_path, files=3)
    assert len(lines) == 1
