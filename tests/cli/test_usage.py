"""How the command line is used: help in groups, completion, and mistakes answered in one helpful sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vqc
from vqc import processors
from vqc.cli.options import number_of_jobs
from vqc.models.kinds import KINDS, trainables
from vqc.training.settings import preset_names, read_preset

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SHELL = {"PYTHONPATH": str(Path(vqc.__file__).parent.parent)}


def completed(words: str) -> list[str]:
    """What bash would offer for the last of the words."""
    environment = os.environ | SHELL | {"_VQC_COMPLETE": "complete_bash", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(words.count(" "))
    run = subprocess.run(
        [sys.executable, "-m", "vqc"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_completion_of_commands_options_choices_and_models(small_models: Path) -> None:
    assert completed("vqc compr") == ["compress"]
    assert completed("vqc compress --target-b") == ["--target-bpp"]
    assert completed("vqc compress --entropy s") == ["static"]
    assert {"photo", "speech", "tiny-image"} <= set(completed("vqc compress -m "))


def test_completion_can_be_installed(run: Run) -> None:
    words = run("--help").out
    assert "--install-completion" in words
    assert "--show-completion" in words


def test_version_has_a_letter(run: Run) -> None:
    assert run("-V").out == f"vqc {vqc.__version__}\n"


def test_help_stands_in_groups_and_in_words(run: Run) -> None:
    lines = run("compress", "--help").out.splitlines()
    assert lines[0] == "Usage: vqc compress [OPTIONS] INPUT..."
    titles = [line for line in lines if line and not line.startswith((" ", "Usage"))]
    assert titles == ["Arguments:", "Output:", "Quality:", "Sound:", "Speed:", "Data:", "Options:"]
    quality = lines[lines.index("Quality:") : lines.index("Speed:")]
    assert [option for option in ("--quality", "--target-size", "--effort") if option in " ".join(quality)] == [
        "--quality",
        "--target-size",
        "--effort",
    ]


@pytest.mark.parametrize(
    "command", ["compress", "decompress", "verify", "models", "sample", "eval", "train", "train image"]
)
def test_help_has_no_words_of_python_and_cuts_no_sentence(run: Run, command: str) -> None:
    words = run(*command.split(), "--help").out
    for wrong in ("<", "list[", "{", "...  ", ",...", "x>="):
        assert wrong not in words.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("compress photo.png -q high", "--quality high: give a number"),
        ("compress photo.png --jobs two", "--jobs two: give a whole number, 1 or more, or auto"),
        ("compress photo.png --jobs 0", "--jobs 0: give a whole number, 1 or more, or auto"),
        ("compress photo.png --threads two", "--threads two: give a whole number, 1 or more"),
        ("compress photo.png --effort 99", "--effort 99: give a whole number from 0 to 9"),
        ("compress photo.png --device gpu", "--device gpu: choose one of auto, cpu, cuda"),
        (
            "compress photo.png -m tiny-imag",
            "there is no model 'tiny-imag', did you mean 'tiny-image'?; models at hand: ",
        ),
        ("compress photo.png -m a/x.safetensors", "there is no model file a/x.safetensors; check the path"),
        (
            "compress clip.wav -m tiny-image",
            "the model tiny-image is for images, but this is audio; leave the model out",
        ),
        ("compress photo.png -m tiny-image -q 9", "-q 9: the qualities of the model tiny-image are 1 to 1"),
        ("compress photo.png -m tiny-image -q 1 --target-size 2kB", "exclude each other; give one"),
        ("photo.png", "photo.png: this is no command of vqc; did you mean vqc compress photo.png?"),
        ("photo.vqc", "photo.vqc: this is no command of vqc; did you mean vqc decompress photo.vqc?"),
        ("eval photo.png", "photo.png: this is no command of vqc eval; to work on it give --data photo.png"),
        ("train image photos60", "photos60: vqc train image has no place for it; give data with --data photos60"),
        ("train export runs/a runs/b", "runs/b: vqc train export has no place for it; see vqc train export --help"),
    ],
)
def test_wrong_usage_is_answered_in_a_sentence(run: Run, desk: Path, arguments: str, sentence: str) -> None:
    result = run(*arguments.split())
    assert (result.code, result.out) == (2, "")
    assert sentence in result.err
    assert len(result.err.splitlines()) == 1


def test_a_quality_is_called_as_it_was_typed(run: Run, desk: Path) -> None:
    assert "-q 99: the qualities of the model photo are 1 to 8" in run("compress", "photo.png", "-q", "99").err


def test_presets_in_the_help_are_those_that_there_are(run: Run) -> None:
    rows = trainables()
    assert sorted(name for row in rows.values() for name in row.presets) == sorted(preset_names())
    assert all(read_preset(name)["kind"] == kind for kind, row in rows.items() for name in row.presets)
    assert {KINDS[kind].preset_of("sharp") for kind in ("photo", "speech")} == set(rows["sharp"].presets)
    assert "[default: photo]" in " ".join(run("train", "image", "--help").out.split())


def test_as_many_jobs_as_there_are_processors_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available", lambda: 3)
    assert number_of_jobs("auto") in (1, 2, 3)
    monkeypatch.setattr(processors, "JOB_BYTES", 1)
    assert number_of_jobs("auto") == 3
    monkeypatch.setattr(processors, "JOB_BYTES", 10**15)
    assert number_of_jobs("auto") == 1
    assert number_of_jobs("7") == number_of_jobs(7) == 7


def test_jobs_take_auto(run: Run, desk: Path) -> None:
    result = run("compress", "photo.png", "-m", "tiny-image", "--jobs", "auto")
    assert (result.code, result.err) == (0, "")


def test_a_file_whose_name_begins_with_a_dash_is_told_from_options(run: Run, desk: Path) -> None:
    Path("photo.png").rename("-photo.png")
    refused = run("compress", "-photo.png", "-m", "tiny-image")
    assert (refused.code, refused.err) == (
        2,
        "vqc: -photo.png: begins with a dash and is taken for options; write ./-photo.png\n",
    )
    assert run("compress", "./-photo.png", "-m", "tiny-image").code == 0
    assert "No such option" in run("compress", "--nosuch", "photo.png").err
