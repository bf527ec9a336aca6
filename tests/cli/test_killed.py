"""A run of a folder may be killed at any moment; `python scripts/killed.py` tries 60."""

from __future__ import annotations

import importlib
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vqc.models.files import zoo

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SCRIPT = Path(__file__).parent.parent.parent / "scripts/killed.py"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_run_breaks_nothing_and_leaves_nobody(run: Run, tmp_path: Path) -> None:
    script = runpy.run_path(str(SCRIPT))
    contents, photos, results, whole = script["contents"], tmp_path / "photos", tmp_path / "results", tmp_path / "whole"
    script["make_photos"](photos, 3)
    compress = ("compress", photos, "-m", script["MODEL"], "--quiet", "-o")
    assert run(*compress, whole).code == 0
    process = script["compressing"](photos, results)
    end = time.monotonic() + script["PATIENCE_SECONDS"]
    while not any(results.glob("*.vqc")):  # killed once its first file is there, and others are being made
        assert process.poll() is None or any(results.glob("*.vqc")), process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    script["finished"](process, script["PATIENCE_SECONDS"])
    assert script["unbroken"](contents(results), contents(whole))
    assert run(*compress, results, "--skip-existing").code == 0
    assert contents(results) == contents(whole), "what was left is done, and no partial file is there"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_archive_has_what_was_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python scripts/killed_archive.py` tries 50 moments."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", zoo.BUNDLED_FOLDER)  # which the script changes
    lines = importlib.import_module("killed_archive").kill_often(2, tmp_path)
    assert len(lines) == 2
