"""The recipes of the paper models run from data to a model file on tiny data."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqc.data import cifar10
from vqc.models.checkpoint import load_checkpoint

RECIPES = Path(__file__).parents[2] / "scripts" / "recipes"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a recipe as its command line would, and returns what it printed."""

    def run(recipe: str, *arguments: object) -> str:
        monkeypatch.syspath_prepend(RECIPES)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(sys, "argv", [recipe, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(RECIPES / recipe), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_cifar10_recipe(run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "TEST_ROW", 60)
    monkeypatch.setattr(cifar10, "VALIDATION_ROWS", 20)
    images = np.random.default_rng(0).integers(0, 256, (80, 2, 2, 3), dtype=np.uint8)
    images = images.repeat(16, 1).repeat(16, 2)
    np.savez(tmp_path / "lossless_4000.npz", images=images)
    model_file = tmp_path / "tiny.safetensors"
    options = ("--run", tmp_path / "run", "--minutes", 0.001, "--batch-size", 2)
    run("cifar10.py", "--data", tmp_path, "--output", model_file, *options)
    model, info = load_checkpoint(model_file)
    table = model.static_frequencies(1)
    assert (info.name, table.shape) == ("cifar10", (1, 512))
    assert table.max() > 1_000, "the codes of flat patches are few"
    report = json.loads(run("cifar10.py", "--data", tmp_path, "--report", model_file))
    assert report["mse"] == pytest.approx(info.figures["quality_1"]["mse"], rel=0.2)


def test_librispeech_recipe(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for i in range(3):
        tone = 0.5 * np.sin(np.arange(10_000) * 0.05 * (i + 1))
        soundfile.write(tmp_path / "data" / f"{i}-198-0000.flac", tone, 16_000)
    model_file = tmp_path / "tiny.safetensors"
    options = ("--run", tmp_path / "run", "--steps", 2, "--batch-size", 1)
    run("librispeech.py", "--data", tmp_path / "data", "--output", model_file, *options)
    model, info = load_checkpoint(model_file)
    assert (info.name, info.media, info.training["steps"]) == ("librispeech", "audio", 2)
    assert model.static_frequencies(1).sum() == 65_536
    assert 0 < info.figures["quality_1"]["kbps"] < 2.25 + 0.5
