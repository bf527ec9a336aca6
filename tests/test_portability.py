"""Streams of the bundled priors are the same bytes and the same codes under other instruction sets and threads.

`scripts/portability.py` does the work, in processes of their own; run it without --quick for the whole matrix.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "portability.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--quick", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_no_stream_depends_on_how_it_is_computed() -> None:
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "0 mismatches"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction sets that are compared are those of x86")
def test_streams_of_a_float_prior_do() -> None:
    """So that the test above can fail."""
    done = run("--float", "--models", "photo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1].split()[0]) > 0
