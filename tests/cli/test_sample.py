"""`vqc sample`: what is drawn goes into files, whole or not at all, and is the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

from vqc.sampling.options import IMAGES, PROPOSALS, RECORDINGS

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SMALL = ("--size", "32x48")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_with_priors: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def pixels(path: str) -> np.ndarray:
    return np.array(Image.open(path))


def test_images_go_into_a_grid_or_a_folder(run: Run) -> None:
    said = run("sample", "tiny-photo", "-n", "3", *SMALL, "-o", "grid.png").out
    assert said.startswith("3 images of 48 x 32 pixels from tiny-photo, seed 0, in ")
    assert run("sample", "tiny-photo", "-n", "3", *SMALL, "-o", "drawn/").code == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == [f"tiny-photo-{i}.png" for i in (1, 2, 3)]
    grid, step = pixels("grid.png"), 128 // 48
    for index in range(3):
        top, left = index // 2 * (32 * step + 2), index % 2 * (48 * step + 2)
        shown = grid[top : top + 32 * step : step, left : left + 48 * step : step]
        assert np.array_equal(shown, pixels(f"drawn/tiny-photo-{index + 1}.png"))


def test_a_recording_and_several(run: Run) -> None:
    assert run("sample", "tiny-speech", "--seconds", "0.2", "--seed", "4").code == 0
    samples, rate = soundfile.read("tiny-speech.sample.wav")
    assert (len(samples), rate) == (3200, 16_000)
    assert run("sample", "tiny-speech", "-n", "2", "--seconds", "0.2", "--seed", "4", "-o", "a.flac").code == 0
    assert np.array_equal(soundfile.read("a-1.flac")[0], samples)
    assert not np.array_equal(soundfile.read("a-2.flac")[0], samples)


def test_a_vqc_file_decompresses_to_what_was_drawn(run: Run) -> None:
    assert run("sample", "tiny-photo", "-n", "1", *SMALL, "-o", "x.vqc", "--save-codes", "c.npz").code == 0
    assert run("sample", "tiny-photo", "-n", "1", *SMALL, "-o", "x.png").code == 0
    assert run("decompress", "x.vqc", "-o", "y.png").code == 0
    assert np.array_equal(pixels("x.png"), pixels("y.png"))
    with np.load("c.npz") as saved:
        assert saved["codes"].shape[2:] == (2, 3)
        assert int(saved["quality"]) == 2
    assert run("sample", "tiny-photo", "-n", "2", *SMALL, "-o", "files/", "--format", "vqc").code == 0
    assert Path("files/tiny-photo-1.vqc").read_bytes() == Path("x.vqc").read_bytes()


def test_completions_stand_beside_what_is_given(run: Run) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (64, 160, 3), dtype=np.uint8)
    Image.fromarray(colours).save("half.png")
    told = ("sample", "tiny-photo", "--complete", "half.png", "--keep", "0.5")
    assert run(*told, "-n", "2", "-o", "row.png").code == 0
    assert run(*told, "-n", "1", "-o", "one.png").code == 0
    row = pixels("row.png")
    assert row.shape == (64, 3 * 160 + 2 * 2, 3)
    assert np.array_equal(row[:32, :160], colours[:32])
    assert np.array_equal(row[:, 162:322], pixels("one.png"))
    assert run("sample", "tiny-photo", "--complete", "half.png", "--hole", "20,20,40,20", "-o", "hole.png").code == 0
    assert pixels("hole.png").shape == (64, 4 * 160 + 3 * 2, 3)


def test_json_names_what_is_needed_to_draw_it_again(run: Run) -> None:
    said = json.loads(run("sample", "tiny-photo", "-n", "2", *SMALL, "--temperature", "0.5", "--json").out)
    assert (said["model"], said["seed"], said["temperature"], said["items"]) == ("tiny-photo", 0, 0.5, 2)
    assert said["files"] == [{"file": "tiny-photo.sample.png", "bytes": Path("tiny-photo.sample.png").stat().st_size}]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("tiny-photo -n 0", 2, "-n 0: give how many to draw, 1 or more"),
        ("tiny-photo --temperature 0", 2, "temperature 0: give a number from 0.001 to 100"),
        ("tiny-photo --guidance 101", 2, "guidance 101: give a number from 0 to 100"),
        ("tiny-photo --guidance 2", 2, "guidance 2: this is for images of a class; give one with --class"),
        ("tiny-photo --temperature hot", 2, "--temperature hot: give a number"),
        ("tiny-photo --size large", 2, "--size large: give height and width in pixels, such as 64x96"),
        ("tiny-photo --size 2000", 2, "size 2000x2000: the prior of tiny-photo sees at most 1024x1024 pixels together"),
        ("tiny-photo -o x.wav", 2, "-o x.wav: images are drawn, which can be written as"),
        ("tiny-photo -o drawn/ --format wav", 2, "--format wav: images are drawn, which can be written as"),
        ("tiny-photo --format png", 2, "--format png: this is for a folder; name one with -o, such as -o drawn/"),
        ("tiny-photo -o -", 2, "-o -: what is drawn goes into files; name one, or a folder"),
        ("tiny-photo --save-codes c.txt", 2, "--save-codes c.txt: what is written there is a .npz file"),
        ("tiny-speech --complete there.png", 1, "there.png: "),
        ("tiny-photo --keep 0.5", 2, "keep: this is for completing a file; give it with --complete"),
        ("tiny-photo --complete there.png --hole 1,2", 2, "--hole 1,2: give left, top, width and height in pixels"),
        ("tiny-phota", 2, "there is no model 'tiny-phota', did you mean 'tiny-photo'?"),
        ("tiny-photo -o there.png", 1, "there.png: this file exists already; use --force to replace it"),
        ("tiny-photo -o no/folder/x.png", 1, "no/folder/x.png: the folder"),
    ],
)
def test_mistakes_have_their_sentence_and_leave_nothing(
    run: Run, arguments: str, code: int, said: str, desk: Path
) -> None:
    Path("there.png").touch()
    result = run("sample", *arguments.split())
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(f"vqc: {said}")
    assert result.err.count("\n") == 1
    assert [path.name for path in desk.iterdir()] == ["there.png"]


def test_the_help_tells_how_many_are_drawn_unasked(run: Run) -> None:
    told = " ".join(run("sample", "--help").out.split())
    assert f"{IMAGES} images, {PROPOSALS} that complete one, or {RECORDINGS} recording]" in told
