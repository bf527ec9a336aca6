"""`vqc compare`: a page of files, and what it says of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from vqc.models import kinds

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def tiny_defaults(monkeypatch: pytest.MonkeyPatch, small_models: Path) -> None:
    monkeypatch.setattr(kinds, "default_model", {"image": "tiny-image", "audio": "tiny-audio"}.__getitem__)


def test_a_picture_and_a_sound_on_one_page(run: Run, desk: Path) -> None:
    result = run("compare", "photo.png", "clip.wav", "--against", "png,flac")
    assert result.code == 0
    assert "vqc: wrote compare.html\n" in result.err
    assert [line for line in result.out.splitlines() if line in ("photo.png", "clip.wav")] == ["photo.png", "clip.wav"]
    text = Path("compare.html").read_text(encoding="utf-8")
    assert 'class="stage"' in text
    assert "<audio controls" in text
    again = run("compare", "photo.png")
    assert (again.code, again.err) == (1, "vqc: compare.html: this file exists already; use --force to replace it\n")
    assert run("compare", "photo.png", "--against", "", "-f", "--quiet").out == ""


def test_what_is_said_of_one_of_several_names_it(run: Run, desk: Path) -> None:
    image = Image.open("photo.png").convert("RGB")
    image.putalpha(128)
    image.save("sheer.png")
    said = run("compare", "photo.png", "sheer.png", "--against", "").err
    assert "vqc: sheer.png: is measured without its transparency\n" in said


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("photo.png -o page.png", 2, "choose a name that ends so"),
        ("photo.png -m tiny-audio", 2, "the model tiny-audio is not for image"),
        ("photo.png -q 9", 2, "the qualities of the model tiny-image are 1 to 1"),
        ("photo.png --against gif", 2, "gif"),
        ("absent.png", 1, "absent.png: cannot be read"),
        ("broken.png", 1, "broken.png"),
    ],
)
def test_what_cannot_be_compared(run: Run, desk: Path, words: str, code: int, sentence: str) -> None:
    result = run("compare", *words.split())
    assert result.code == code
    assert sentence in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not list(desk.glob("*.html"))
