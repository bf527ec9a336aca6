"""The weights that come with the package, through the commands a newcomer types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

import vqc

if TYPE_CHECKING:
    from tests.cli.conftest import Run

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder has the sample photo, smaller, and the first 2 s of the sample clip; no other models."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    with Image.open(EXAMPLES / "photo.jpg") as photo:
        photo.resize((192, 108)).save("photo.png")
    clip, sample_rate = soundfile.read(EXAMPLES / "speech.flac", frames=32_000)
    soundfile.write("speech.wav", clip, sample_rate)
    return tmp_path


def test_a_photo_comes_back_as_itself(run: Run, samples: Path) -> None:
    sizes, errors = [], []
    for quality in ("1", "8"):
        (report,) = json.loads(run("compress", "photo.png", "-q", quality, "--stats", "--json", "--force").out)
        sizes.append(report["bytes_out"])
        errors.append(report["mse"])
    assert report["model"] == "photo"
    assert sizes[0] * 3 < sizes[1] < Path("photo.png").stat().st_size / 5
    assert errors[1] * 2 < errors[0] < 0.02
    assert run("decompress", "photo.vqc", "-o", "back.png").code == 0
    with Image.open("photo.png") as before, Image.open("back.png") as after:
        difference = np.asarray(before).astype(float) / 255 - np.asarray(after) / 255
    assert np.mean(difference**2) == pytest.approx(errors[1])


def test_speech_comes_back_as_speech(run: Run, samples: Path) -> None:
    (report,) = json.loads(run("compress", "speech.wav", "-q", "1", "--json").out)
    assert report["model"] == "speech"
    assert report["kbps"] < 1
    assert run("decompress", "speech.vqc", "-o", "back.wav").code == 0
    before, after = soundfile.read("speech.wav")[0], soundfile.read("back.wav")[0]
    assert before.shape == after.shape
    loudness = [np.sqrt(np.mean(x.reshape(-1, 1600) ** 2, axis=1)) for x in (before, after)]  # in pieces of 0.1 s
    assert np.corrcoef(*loudness)[0, 1] > 0.8


def test_what_is_bundled(run: Run, samples: Path) -> None:
    models = {model["name"]: model for model in json.loads(run("models", "--json").out)}
    assert {"photo", "speech", "cifar10"} <= models.keys()
    assert (models["photo"]["qualities"], models["speech"]["qualities"]) == (8, 8)
    assert sum(model["bytes"] for model in models.values()) < 60e6
    assert all(model["training"] and model["figures"] for model in models.values())


@pytest.mark.parametrize("source", ["photo.png", "speech.wav"])
def test_a_better_quality_costs_more(run: Run, samples: Path, source: str) -> None:
    sizes = []
    for quality in range(1, 9):
        assert run("compress", source, "-q", str(quality), "--effort", "0", "-o", f"{quality}.vqc").code == 0
        sizes.append(Path(f"{quality}.vqc").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_the_public_names_are_there() -> None:
    assert all(getattr(vqc, name) is not None for name in vqc.__all__)
