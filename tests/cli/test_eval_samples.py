"""`vqc eval samples`: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from vqc.cli import eval_samples
from vqc.cli.eval_samples import samples
from vqc.data.cifar10 import CLASSES
from vqc.errors import OptionError
from vqc.evaluation.drawn.classifier import Classifier, Judge, save_judge
from vqc.evaluation.drawn.images import ImageStudy, Nearest, Row

app = typer.Typer()
app.command()(samples)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_judge(tmp_path / "judge.npz", Judge(Classifier(10).eval(), CLASSES, 0.75))
    pixels = np.zeros((16, 32, 32, 3), np.uint8)
    study = ImageStudy(
        rows=(Row("held out", None, 21.5, 0.75), Row("drawn", 12.345, 14.25, None)),
        images=16,
        accuracy=0.75,
        nearest=Nearest(pixels, pixels, np.full(16, 30.0)),
        held_out_rms=25.0,
    )
    monkeypatch.setattr("vqc.evaluation.drawn.images.study_images", lambda *args, **options: study)
    return tmp_path


ARGUMENTS = ("--data", ".", "--model", "cifar10", "--classifier", "judge.npz")


def test_everything_is_printed_for_people_and_for_programs(here: Path) -> None:
    text = CliRunner().invoke(app, ARGUMENTS)
    assert text.exit_code == 0, text.output
    for part in ("16 images in each set", "right on 75.0 %", "30.0 levels for drawn", "12.3", "14.25", "75.0 %", "–"):
        assert part in text.output
    found = json.loads(CliRunner().invoke(app, [*ARGUMENTS, "--json"]).output)
    assert found["sets"][1] == {"name": "drawn", "frechet": 12.345, "gradient": 14.25, "taken": None}
    assert (found["model"], found["accuracy"], found["nearest_rms"]) == ("cifar10", 0.75, [30.0] * 16)


def test_the_picture_is_not_replaced_unasked(here: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = [*ARGUMENTS, "--picture", "nearest.png"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (here / "nearest.png").read_bytes()[:4] == b"\x89PNG"
    assert CliRunner().invoke(app, arguments).exit_code != 0
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "."), "images are judged by a classifier; scripts/reproduce/classifier.py CIFAR10 FILE trains one"),
        (("--data", ".", "--model", "phones", "--picture", "x.png"), "--picture shows images; phones is a model for"),
        ((*ARGUMENTS, "--temperature", "0"), "temperature 0: give a number from"),
        (("--data", ".", "--classifier", "none.npz"), "none.npz is no classifier"),
    ],
)
def test_what_cannot_be_is_one_sentence(here: Path, arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, OptionError)
    assert message in str(result.exception)


def test_figures_have_their_units() -> None:
    assert eval_samples.shown("taken", 0.4567) == "45.7 %"
    assert eval_samples.shown("frechet", 1234.5) == "1.23e+03"
