"""Streams of the bundled priors are the same bytes and the same codes under other instruction sets and threads.

`python scripts/portability.py` tries the whole matrix.
"""

from __future__ import annotations

import platform
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "portability.py"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the oldest instructions on two threads make of streams that this process has written."""
    return runpy.run_path(str(SCRIPT))["quick_check"](tmp_path_factory.mktemp("streams"))


def test_no_stream_depends_on_how_it_is_computed(outcomes: dict[str, Any]) -> None:
    assert outcomes["integer"].streams == {"cifar10": 1, "photo": 2, "speech": 2}
    assert not any(outcomes["integer"].mismatches.values())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction sets that are compared are those of x86")
def test_streams_of_a_float_prior_do(outcomes: dict[str, Any]) -> None:
    """So that the test above can fail."""
    assert any(outcomes["float"].mismatches.values())
