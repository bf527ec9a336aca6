"""Measuring by a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vqc
from vqc.errors import OptionError

pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(generator.integers(0, 256, (12, 16, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_call_measures_every_file_of_a_folder(folder: Path) -> None:
    seen = list[tuple[int, int]]()
    found = vqc.evaluate(
        folder, model="tiny-image", metrics=["psnr"], qualities="all", progress=lambda *at: seen.append(at)
    )
    assert isinstance(found, vqc.Evaluation)
    assert [score.item for score in found.files] == ["a.png", "b.png"]
    first = found.files[0]
    assert first.bytes == len(vqc.compress(Image.open(folder / "a.png"), model="tiny-image"))
    assert set(first.scores) == {"psnr"}
    assert seen == [(1, 2), (2, 2)]
    assert [score.item for score in vqc.evaluate(folder, model="tiny-image", metrics=[], limit=1).files] == ["a.png"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"qualities": [2]}, "those of the model tiny-image are 1 to 1"),
        ({"qualities": []}, "those of the model tiny-image are 1 to 1"),
        ({"against": ["gif"]}, "gif"),
        ({"metrics": ["beauty"]}, "beauty"),
    ],
)
def test_options_that_cannot_be_used(folder: Path, options: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        vqc.evaluate(folder, model="tiny-image", **options)
