"""Every example runs as it stands, from any folder, with the bundled weights."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vqc.models.kinds import KINDS

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(autouse=True)
def _kinds_and_path() -> Iterator[None]:
    """An example may add a kind of model, for itself."""
    kinds, path = dict(KINDS), list(sys.path)
    yield
    KINDS.clear()
    KINDS.update(kinds)
    sys.path[:] = path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):  # which an example may set, for itself
        monkeypatch.setenv(name, os.environ.get(name, ""))
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.count("\n") >= 2
    assert all(path.stat().st_size > 0 for path in tmp_path.iterdir())


def test_examples_are_short_and_numbered() -> None:
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    assert all(path.read_text(encoding="utf-8").count("\n") < 60 for path in EXAMPLES)
