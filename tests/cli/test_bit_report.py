"""Where the bits go, as the commands tell it: `compress --explain` and `info --costs`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

from vqc.cli.bit_report import bar

if TYPE_CHECKING:
    from tests.cli.conftest import Run

IMAGE, PHOTO, SPEECH = ("-m", "tiny-image"), ("-m", "tiny-photo"), ("-m", "tiny-speech")


@pytest.mark.parametrize("mode", ["prior", "static", "none"])
def test_an_image_explained(run: Run, desk: Path, models_with_priors: Path, mode: str) -> None:
    result = run("compress", "photo.png", *PHOTO, "--explain", "--entropy", mode)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("photo.png -> photo.vqc  ")
    assert f"entropy: {mode}" in result.out
    rows = {line.split("  ")[0] for line in lines}
    assert {"mean colours", "detail 1-3 (1 dim)", "detail 4-5 (2 dims)", "header and checks", "file"} <= rows
    assert lines[-1].endswith(": photo.bits.png")
    with Image.open("photo.bits.png") as image:
        assert image.width == 45
    (report,) = json.loads(run("compress", "photo.png", *PHOTO, "--explain", "--entropy", mode, "--json", "-f").out)
    told = report["explanation"]
    assert (told["entropy"], told["map"]) == (mode, "photo.bits.png")
    assert told["bits"] == 8 * report["bytes_out"]
    assert told["code_bits"] + told["alpha_bits"] + told["other_bits"] == pytest.approx(told["bits"], abs=0.02)
    assert sum(kind["bits"] for kind in told["codes"]) == pytest.approx(told["code_bits"], abs=0.1)
    assert [kind["codes"] for kind in told["codes"]] == [3 * 6, 3 * 6, 2 * 6]


def test_audio_explained(run: Run, desk: Path, models_with_priors: Path) -> None:
    soundfile.write("long.wav", np.random.default_rng(0).normal(size=70 * 8000) * 0.1, 8000)
    explain = ("compress", "long.wav", *SPEECH, "-q", "2", "--entropy", "static", "--explain")
    result = run(*explain)
    assert (result.code, result.err) == (0, "")
    assert {"pitch", "envelope", "waveform"} <= {line.split(" ")[0] for line in result.out.splitlines()}
    bars = [line for line in result.out.splitlines() if "█" in line]
    assert len(bars) == 35
    assert bars[1].startswith("0:02 ")
    assert bars[-1].startswith("1:08 ")
    assert max(line.count("█") for line in bars) == 40
    assert not list(desk.glob("*.png.*"))
    assert not Path("long.bits.png").exists()
    (report,) = json.loads(
        run("compress", "long.wav", *SPEECH, "-q", "2", "--entropy", "static", "--explain", "--json", "-f").out
    )
    told = report["explanation"]
    assert len(told["bits_by_second"]) == 70
    assert sum(told["bits_by_second"]) == pytest.approx(told["code_bits"], abs=1)


def test_several_files_are_explained_each(run: Run, desk: Path) -> None:
    Path("b.png").write_bytes(Path("photo.png").read_bytes())
    result = run("compress", "photo.png", "b.png", "broken.png", *IMAGE, "--explain", "-o", "out")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    lines = result.out.splitlines()
    assert [line for line in lines if line in ("out/photo.vqc", "out/b.vqc")] == ["out/photo.vqc", "out/b.vqc"]
    assert result.out.count("header and checks") == 2
    assert sorted(path.name for path in Path("out").iterdir()) == ["b.bits.png", "b.vqc", "photo.bits.png", "photo.vqc"]


def test_a_map_is_not_overwritten_unless_forced(run: Run, desk: Path) -> None:
    Path("photo.bits.png").write_text("precious")
    result = run("compress", "photo.png", *IMAGE, "--explain")
    assert (result.code, result.out) == (1, "")
    cure = "use --force to replace it, or --skip-existing to leave it"
    assert result.err == f"vqc: photo.png: photo.bits.png: this file exists already; {cure}\n"
    assert not Path("photo.vqc").exists()
    assert Path("photo.bits.png").read_text() == "precious"
    assert run("compress", "photo.png", *IMAGE, "--explain", "-f").code == 0
    assert Path("photo.bits.png").read_bytes().startswith(b"\x89PNG")


def test_a_map_never_replaces_an_input(run: Run, desk: Path) -> None:
    Path("photo.bits.png").write_bytes(Path("photo.png").read_bytes())
    result = run("compress", "photo.png", "photo.bits.png", *IMAGE, "--explain", "-f")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "photo.bits.png: the result would replace this input" in result.err
    assert Path("photo.bits.png").read_bytes() == Path("photo.png").read_bytes()


def test_maps_in_a_folder_are_not_taken_for_photos(run: Run, desk: Path) -> None:
    Path("in").mkdir()
    Path("in/a.png").write_bytes(Path("photo.png").read_bytes())
    Path("in/own.bits.png").write_bytes(Path("photo.png").read_bytes())
    for _ in range(2):
        result = run("compress", "in", *IMAGE, "--explain", "-f")
        assert (result.code, result.err) == (0, "")
        names = sorted(path.name for path in Path("in").iterdir())
        maps = ["a.bits.png", "own.bits.bits.png"]
        assert names == sorted([*maps, "a.png", "a.vqc", "own.bits.png", "own.bits.vqc"])


def test_on_standard_output_there_is_the_file_alone(run: Run, desk: Path) -> None:
    result = run("compress", "photo.png", *IMAGE, "--explain", "-o", "-")
    assert (result.code, result.raw[:3]) == (0, b"VQC")
    assert "header and checks" in result.err
    assert ".bits.png" not in result.err
    assert sorted(path.name for path in desk.iterdir()) == ["broken.png", "clip.wav", "photo.png"]
    result = run("compress", "-", *IMAGE, "--explain", "-o", "x.vqc", stdin=Path("photo.png").read_bytes())
    assert (result.code, result.err) == (0, "")
    assert Path("x.bits.png").exists()
    assert run("compress", "photo.png", *IMAGE, "--explain", "-o", "/dev/null", "-f").code == 0


def test_quiet_explains_to_nobody_but_draws(run: Run, desk: Path) -> None:
    result = run("compress", "photo.png", *IMAGE, "--explain", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert Path("photo.bits.png").exists()


def test_bars_in_poor_encodings() -> None:
    assert bar(0.5, io.TextIOWrapper(io.BytesIO(), "utf-8")) == "█" * 20
    assert bar(0.5, io.TextIOWrapper(io.BytesIO(), "ascii")) == "#" * 20


# vqc info --costs


@pytest.mark.parametrize("mode", ["prior", "static", "none"])
def test_costs_are_the_sizes_of_files_with_each_mode(run: Run, desk: Path, models_with_priors: Path, mode: str) -> None:
    sizes = {}
    for other in ("prior", "static", "none"):
        assert run("compress", "photo.png", *PHOTO, "--effort", "0", "--entropy", other, "-o", f"{other}.vqc").code == 0
        sizes[other] = Path(f"{other}.vqc").stat().st_size
    (told,) = json.loads(run("info", f"{mode}.vqc", "--costs", "--json").out)
    assert told["bytes_by_entropy"] == sizes
    assert told["entropy"] == mode
    lines = run("info", f"{mode}.vqc", "--costs").out.splitlines()
    assert [line for line in lines if line.endswith(", used")] == [f"{f'as {mode}':<9}  {sizes[mode]:,} B, used"]
    assert len([line for line in lines if line.endswith((" more", " less"))]) == 2


def test_a_mode_that_the_model_lacks_is_said(run: Run, desk: Path) -> None:
    run("compress", "photo.png", *IMAGE)
    words = run("info", "photo.vqc", "--costs").out
    assert "as prior   the model has no prior\n" in words
    (told,) = json.loads(run("info", "photo.vqc", "--costs", "--json").out)
    assert told["bytes_by_entropy"]["prior"] is None
    assert "bytes_by_entropy" not in json.loads(run("info", "photo.vqc", "--json").out)[0]


def test_costs_without_the_model(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run("compress", "photo.png", *IMAGE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    result = run("info", "photo.vqc", "--costs")
    assert (result.code, result.err) == (0, "")
    assert "costs     unknown without the model" in result.out
    assert json.loads(run("info", "photo.vqc", "--costs", "--json").out)[0]["bytes_by_entropy"] is None


def test_costs_of_a_model_file_are_none(run: Run, small_models: Path) -> None:
    result = run("info", small_models / "tiny-image.safetensors", "--costs")
    assert (result.code, result.err) == (0, "")
    assert "tiny-image" in result.out
