"""`--lossless` and `--lossy`, and what is told of files without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from vqc.codec.codec import Compressed
from vqc.models import kinds

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def screen(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The desk, with `screen.png`, which is smaller without loss; and models for both media that are not named."""
    monkeypatch.setattr(kinds, "default_model", {"image": "tiny-image", "audio": "tiny-audio"}.__getitem__)
    bytes_of = {True: 1, False: 9_999}  # of a model that knows nothing of pictures
    monkeypatch.setattr(
        Compressed, "__len__", lambda made: len(made.data) * bytes_of[made.container.header.is_lossless]
    )
    y, x = np.mgrid[:120, :200]
    Image.fromarray(((x // 7 + y // 5) % 2 * 200).astype(np.uint8)).convert("RGB").save("screen.png")
    return desk


def test_a_screenshot_is_kept_and_that_is_told(run: Run, screen: Path) -> None:
    result = run("compress", "screen.png")
    assert result.code == 0
    assert result.err == (
        "vqc: screen.png: kept without loss, which is smaller here; --lossy compresses with a model\n"
    )
    assert run("compress", "screen.png", "--quiet", "-f").err == ""
    (told,) = json.loads(run("compress", "screen.png", "--json", "-f", "--stats").out)
    assert (told["model"], told["lossless"], told["quality"], told["mse"]) == ("lossless", True, None, 0)
    assert run("decompress", "screen.vqc").code == 0
    assert np.array_equal(np.asarray(Image.open("screen.restored.png")), np.asarray(Image.open("screen.png")))
    shown = run("info", "screen.vqc", "--costs").out
    assert "none, kept without loss" in shown
    assert "of pixels + " in shown
    assert run("verify", "screen.vqc").out == "screen.vqc: ok\n"
    refused = run("tokens", "screen.vqc", "--json")
    assert (refused.code, "which has no codes" in refused.err) == (1, True)
    assert refused.err.startswith("vqc: screen.vqc: ")


def test_of_a_target_the_reason_is_another(run: Run, screen: Path) -> None:
    told = run("compress", "screen.png", "--target-size", "1kB").err
    assert told == "vqc: screen.png: kept without loss, which meets the target best; --lossy compresses with a model\n"


def test_both_can_be_forced(run: Run, screen: Path) -> None:
    forced = run("compress", "photo.png", "--lossless", "--explain")
    assert (forced.code, forced.err) == (0, "")
    assert not Path("photo.bits.png").exists()
    assert json.loads(run("info", "photo.vqc", "--json").out)[0]["lossless"]
    assert run("compress", "screen.png", "--lossy").code == 0
    assert not json.loads(run("info", "screen.vqc", "--json").out)[0]["lossless"]


def test_what_excludes_each_other(run: Run, screen: Path) -> None:
    for option in (("-m", "tiny-image"), ("--target-size", "1kB"), ("--archive", "x.vqca")):
        result = run("compress", "screen.png", "--lossless", *option)
        assert (result.code, "exclude each other" in result.err) == (2, True)
    audio = run("compress", "clip.wav", "--lossless")
    assert (audio.code, audio.err) == (2, "vqc: clip.wav: only images are kept without loss; for audio take FLAC\n")


def test_above_quality_eight_it_is_avif_and_that_is_told(run: Run, desk: Path) -> None:
    result = run("compress", "photo.png", "-q", "9", "--lossy")
    assert result.code == 0
    assert "vqc: photo.png: kept as AVIF inside the .vqc file, which above quality 8 and for drawings" in result.err
    (told,) = json.loads(run("info", "photo.vqc", "--json").out)
    assert (told["codec"], told["model"], told["quality"], told["entropy"]) == ("avif", None, 9, None)
    assert "none, kept as AVIF, up to quality 9" in run("info", "photo.vqc", "--costs").out
    restored = run("decompress", "photo.vqc")
    assert (restored.code, restored.err) == (0, ""), "advice is for who compresses"
    tried = run("compress", "photo.png", "-q", "9", "--effort", "7", "-f")
    assert (tried.code, "quality 9 is kept as AVIF, which takes no effort" in tried.err) == (2, True)
    coded = run("compress", "photo.png", "-q", "9", "--entropy", "static", "-f")
    assert (coded.code, "qualities of the model photo are 1 to 8\n" in coded.err) == (2, True)
