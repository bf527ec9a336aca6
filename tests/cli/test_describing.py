"""The commands that describe and check: info, verify, models, and the help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

import vqc
from vqc.cli.console import number
from vqc.cli.models import by_quality, prior_in_words, training_in_words
from vqc.models.files.header import ModelInfo
from vqc.user_folders import user_models

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def packed(run: Run, desk: Path) -> Path:
    """`photo.vqc` and `clip.vqc` beside their originals."""
    assert run("compress", "photo.png", "-m", "tiny-image").code == 0
    assert run("compress", "clip.wav", "-m", "tiny-audio").code == 0
    return desk


def test_info_of_files(run: Run, packed: Path) -> None:
    photo, clip = json.loads(run("info", "photo.vqc", "clip.vqc", "--json").out)
    assert (photo["width"], photo["height"], photo["model"], photo["media"]) == (45, 30, "tiny-image", "image")
    assert (clip["samples"], clip["sample_rate"], clip["channels"]) == (5512, 11025, 2)
    for fields, name in ((photo, "photo.vqc"), (clip, "clip.vqc")):
        assert fields["bytes"] == Path(name).stat().st_size
        assert fields["code_bytes"] + fields["alpha_bytes"] + fields["other_bytes"] == fields["bytes"]
        assert fields["other_bytes"] <= 24
    assert photo["bits_per_pixel"] == pytest.approx(8 * photo["bytes"] / (45 * 30))
    assert clip["kbps"] == pytest.approx(8 * clip["bytes"] / (5512 / 11025) / 1000)
    words = run("info", "photo.vqc").out
    assert "45 x 30 pixels" in words
    assert "tiny-image" in words


def test_info_of_a_model(run: Run, packed: Path, small_models: Path) -> None:
    file = small_models / "tiny-image.safetensors"
    (fields,) = json.loads(run("info", file, "--json").out)
    assert fields["type"] == "model"
    assert fields["digest"].startswith(json.loads(run("info", "photo.vqc", "--json").out)[0]["digest"])
    assert "tiny-image" in run("info", file).out


def test_info_goes_on_after_a_bad_file(run: Run, packed: Path) -> None:
    result = run("info", "broken.png", "photo.vqc", "--json")
    assert result.code == 1
    broken, photo = json.loads(result.out)
    assert broken["error"] in result.err
    assert photo["width"] == 45


def test_verify_finds_any_damage(run: Run, packed: Path) -> None:
    result = run("verify", "photo.vqc", "clip.vqc")
    assert (result.code, result.out, result.err) == (0, "photo.vqc: ok\nclip.vqc: ok\n", "")
    data = bytearray(Path("photo.vqc").read_bytes())
    data[len(data) // 2] ^= 1
    Path("bad.vqc").write_bytes(data)
    for option in ((), ("--no-decode",)):
        result = run("verify", "bad.vqc", "clip.vqc", *option)
        assert (result.code, result.out) == (1, "clip.vqc: ok\n")
        assert result.err.startswith("vqc: bad.vqc: ")
    assert json.loads(run("verify", "bad.vqc", "clip.vqc", "--json").out)[1] == {"file": "clip.vqc", "ok": True}
    assert run("verify", "clip.vqc", "--quiet").out == ""


def test_a_missing_model_is_named_by_its_digest(
    run: Run, packed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (fields,) = json.loads(run("info", "photo.vqc", "--json").out)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    for command in (("verify", "--no-decode"), ("verify",), ("decompress", "-o", "back.png")):
        result = run(command[0], "photo.vqc", *command[1:])
        assert result.code == 1
        assert fields["digest"] in result.err
    result = run("info", "photo.vqc")
    assert result.code == 0
    assert "not at hand" in result.out


def test_models_are_listed_with_what_is_known_of_them(run: Run, desk: Path) -> None:
    listed = {model["name"]: model for model in json.loads(run("models", "--json").out)}
    assert {"tiny-image", "tiny-audio"} <= listed.keys()
    assert listed["tiny-audio"]["media"] == "audio"
    out = run("models", "show", "tiny-image").out
    assert listed["tiny-image"]["digest"][:12] in out
    assert f"{listed['tiny-image']['parameters']:,}" in out


def test_the_list_of_models_is_short_and_begins_with_what_is_used(run: Run, desk: Path) -> None:
    lines = run("models").out.splitlines()
    assert lines[0].split() == ["model", "for", "qualities", "rate", "size"]
    names = [line.split()[0] for line in lines[2:] if line[:1].islower() and not line.startswith("vqc ")]
    assert names[:2] == ["photo", "speech"]
    assert {"tiny-image", "tiny-audio"} < set(names[2:])
    photo = lines[2]
    (told,) = json.loads(run("models", "show", "photo", "--json").out)
    saved = {name: row["saving_percent"] for name, row in told["prior"]["figures"].items()}
    rates = [row["bpp"] * (1 - saved[name] / 100) for name, row in told["figures"].items()]
    assert f"{number(rates[0])} to {number(rates[-1])} bpp" in photo, "as files are, which have the prior's rate"
    assert "the default" in photo
    assert len(names) + 4 == len(lines)  # a line each


def test_a_model_is_shown_with_units_and_without_what_is_for_programs(run: Run) -> None:
    out = run("models", "show", "photo", "speech").out
    for word in ("PSNR, dB", "kbps", "PESQ", "prior saves", "6 (default)", " steps in "):
        assert word in out
    for word in ("seed", "relative_mse", "pesq_wb", "version", "perplexityrelative"):
        assert word not in out


def test_info_of_a_model_by_its_name(run: Run, desk: Path) -> None:
    assert run("info", "photo").out == run("models", "show", "photo").out
    (fields,) = json.loads(run("info", "tiny-image", "--json").out)
    assert (fields["type"], fields["name"]) == ("model", "tiny-image")
    missing = run("info", "fotos")
    assert (missing.code, missing.out) == (1, "")
    assert "fotos: there is no such file, and no model of that name, did you mean 'photo'?" in missing.err
    Path("photo").write_bytes(b"a file of that name goes first")
    assert "photo" in run("info", "photo").err


def test_models_that_were_added_can_be_removed(
    run: Run, small_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    source = small_models / "tiny-image.safetensors"
    assert run("models", "add", source).code == 0
    added = user_models() / source.name
    assert added.exists()
    result = run("models", "remove", "tiny-image")
    assert (result.code, result.out) == (0, f"removed tiny-image ({added})\n")
    assert not added.exists()
    assert run("models", "remove", "tiny-image").code == 2
    for name, words in (("photo", "belongs to vqc and stays"), (str(source), "remove the file yourself")):
        refused = run("models", "remove", name)
        assert (refused.code, refused.out) == (1, "")
        assert words in refused.err
    assert source.exists()


def test_version(run: Run) -> None:
    assert run("--version").out == f"vqc {vqc.__version__}\n"


@pytest.mark.parametrize("command", ["compress", "decompress", "info", "verify", "models", "sample"])
def test_each_help_has_one_sentence_and_one_example(run: Run, command: str) -> None:
    lines = run(command, "--help").out.splitlines()
    assert lines[2].startswith("  ")
    assert lines[2].endswith(".")
    assert lines[3] == ""
    assert [line for line in lines if "Example: " in line] == [lines[-1]]
    assert lines[-1].startswith(f"  Example: vqc {command}")


WITHOUT_TORCH = """
import sys
from vqc.cli.app import main

for command in sys.argv[1:]:
    sys.argv = ["vqc", *command.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, command
    assert "torch" not in sys.modules, command
"""


def test_these_commands_never_import_torch(packed: Path) -> None:
    commands = ["--help", "compress --help", "sample --help", "models", "info photo.vqc", "verify --no-decode clip.vqc"]
    environment = os.environ | {"PYTHONPATH": str(Path(vqc.__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *commands], check=True, capture_output=True, env=environment)


@pytest.mark.parametrize(
    ("figures", "rows", "rest"),
    [
        ({"quality_1": {"bpp": 0.1}, "quality_2": {"bpp": 0.2}}, {1: {"bpp": 0.1}, 2: {"bpp": 0.2}}, {}),
        ({"quality_1": {"bits_per_dim": 0.5, "psnr": 30.0}}, {1: {"bpp": 1.5, "psnr": 30.0}}, {}),
        ({"quality_1": {"psnr": 24.0}, "x": 3}, {1: {"psnr": 24.0}}, {"x": 3}),
        ({"quality_best": {"psnr": 24.0}}, {}, {"quality_best": {"psnr": 24.0}}),
        ({"quality_1": "unknown"}, {}, {"quality_1": "unknown"}),
    ],
)
def test_figures_are_told_apart_by_quality(
    figures: dict[str, object], rows: dict[int, object], rest: dict[str, object]
) -> None:
    info = SimpleNamespace(figures=figures, prior=None, qualities=2, media="image")
    assert by_quality(cast(ModelInfo, info)) == (rows, rest)


def test_what_a_prior_saves_stands_beside_the_rates() -> None:
    saved = {"quality_2": {"saving_percent": 25.0, "bits_per_code_integer": 0.5}}
    info = SimpleNamespace(figures={"quality_2": {"bpp": 0.2}}, prior={"figures": saved}, qualities=2, media="image")
    assert by_quality(cast(ModelInfo, info)) == (
        {2: {"bpp": pytest.approx(0.15), "prior saves": "25.0 %", "bits a code": 0.5}},
        {},
    )


def test_a_model_that_was_trained_on_says_from_which_one() -> None:
    assert training_in_words({"data": "lamps", "steps": 1, "minutes": 2}) == "lamps, 1 step in 2:00 min"
    later = {"data": "lamps", "start": "photo 075f95b25c46", "steps": 877, "decoder_steps": 1200, "decoder_minutes": 2}
    told = training_in_words(later)
    assert told == "lamps, from photo 075f95b25c46, 877 steps, the decoder 1,200 steps in 2:00 min"


def test_layers_and_receptive_field_of_a_prior_are_told() -> None:
    wavenet = {"block": 512, "kernel_size": 2, "dilations": [1, 2, 4, 8]}
    told = prior_in_words({"kind": "wavenet", "parameters": 1234, "config": wavenet})
    assert told == "wavenet, 1,234 parameters, 4 layers, sees the 17 codes before each"  # 2 and 1 + 2 + 4 + 8
    short = prior_in_words({"kind": "wavenet", "parameters": 1, "config": wavenet | {"block": 16}})
    assert "sees the 15 codes before each" in short
    pixelcnn = {"block": 8, "layers": 2, "kernel_size": 3, "first_kernel_size": 7, "classes": ["cat", "dog"]}
    told = prior_in_words({"kind": "pixelcnn", "parameters": 9, "config": pixelcnn})
    assert "2 layers, sees 4 codes up and to each side, in blocks of 8x8" in told
    assert told.endswith("can be told one of 2 classes: cat, dog")
