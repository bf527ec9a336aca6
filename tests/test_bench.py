"""scripts/bench runs and says what it found. Its figures are good on a quiet machine only, so they are not tested."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from golden.cases import FOLDER

from vqc.models.files import zoo

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names in the script."""
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", FOLDER)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return runpy.run_path(str(SCRIPTS / "bench"))


def test_it_prints_json(
    bench: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--photo", "golden-photo", "--speech", "golden-speech"]
    monkeypatch.setattr(sys, "argv", ["bench", "overhead", "--json", *models])
    bench["main"]()
    result = json.loads(capsys.readouterr().out)
    assert result["cores"] >= 1
    besides = [figure for figure in result["figures"] if figure["unit"] == "bytes" and figure["bar"] == 24]
    assert len(besides) == 4
    assert all(15 < figure["value"] < 24 and figure["met"] for figure in besides)


def test_what_misses_its_bar_is_marked(bench: dict[str, Any]) -> None:
    figure = bench["Figure"]
    assert str(figure("speed", "a", 1.4, "x", "≥", 1.5)).endswith("MISSED")
    assert str(figure("speed", "a", 1.6, "x", "≥", 1.5)).endswith("met")
    assert str(figure("memory", "a", 1.6, "GB", "≤", 1.5)).endswith("MISSED")
    assert figure("memory", "a", 1.6, "GB").met is None


def test_a_command_that_fails_is_no_figure(bench: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="nothing-of-this-name"):
        bench["seconds_and_peak"](*bench["VQC"], "compress", "nothing-of-this-name.png")
