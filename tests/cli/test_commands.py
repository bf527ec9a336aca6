"""The commands as their users run them, with tiny untrained models."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image
from processes import stay_in_this_process

if TYPE_CHECKING:
    from tests.cli.conftest import Run

IMAGE, AUDIO = ("-m", "tiny-image"), ("-m", "tiny-audio")


def test_an_image_file_there_and_back(run: Run, desk: Path) -> None:
    result = run("compress", "photo.png", *IMAGE)
    assert result.code == 0
    assert result.err == ""
    assert result.out.startswith("photo.png -> photo.vqc  ")
    assert " bpp  " in result.out
    assert len(result.out.splitlines()) == 1
    result = run("decompress", "photo.vqc", "-o", "back.webp")
    assert (result.code, result.err) == (0, "")
    with Image.open("back.webp") as image:
        assert (image.size, image.mode, image.format) == ((45, 30), "RGB", "WEBP")


def test_an_audio_file_there_and_back(run: Run, desk: Path) -> None:
    result = run("compress", "clip.wav", *AUDIO)
    assert (result.code, result.err) == (0, "")
    assert " kbps  " in result.out
    assert run("decompress", "clip.vqc").code == 0
    about = soundfile.info("clip.restored.wav")
    assert (about.frames, about.samplerate, about.channels) == (5512, 11025, 2)


def test_stats_are_those_of_the_restored_picture(run: Run, desk: Path) -> None:
    (report,) = json.loads(run("compress", "photo.png", *IMAGE, "--stats", "--json").out)
    run("decompress", "photo.vqc", "-o", "back.png")
    with Image.open("photo.png") as before, Image.open("back.png") as after:
        error = (np.asarray(before).astype(float) - np.asarray(after)) / 255
    assert report["mse"] == pytest.approx(np.mean(error**2))
    assert report["psnr"] == pytest.approx(-10 * np.log10(report["mse"]))
    assert "PSNR" in run("compress", "photo.png", *IMAGE, "--stats", "-f").out


def test_json_has_the_sizes_of_the_files(run: Run, desk: Path) -> None:
    (report,) = json.loads(run("compress", "photo.png", *IMAGE, "--json").out)
    assert report["input"] == "photo.png"
    assert report["output"] == "photo.vqc"
    assert report["bytes_in"] == Path("photo.png").stat().st_size
    assert report["bytes_out"] == Path("photo.vqc").stat().st_size
    assert report["bits_per_pixel"] == pytest.approx(8 * report["bytes_out"] / (45 * 30))
    assert (report["model"], report["quality"], report["media"]) == ("tiny-image", 1, "image")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_keeps_its_tree_and_a_bad_file_does_not_stop_the_rest(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    stay_in_this_process(monkeypatch)
    Path("in/deep").mkdir(parents=True)
    for name in ("in/a.png", "in/deep/b.png"):
        Path(name).write_bytes(Path("photo.png").read_bytes())
    Path("in/broken.png").write_bytes(Path("broken.png").read_bytes())
    result = run("compress", "in", "-o", "small", *IMAGE, "--explain", "--jobs", jobs)
    assert result.code == 1
    assert sorted(str(path) for path in Path("small").rglob("*.vqc")) == ["small/a.vqc", "small/deep/b.vqc"]
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("vqc: in/broken.png: ")
    assert "in/a.png" in result.out
    assert "2 files" in result.out
    assert result.out.count("header and checks") == 2, "each is explained"
    assert run("decompress", "small", "-o", "back", "--format", "bmp", "--quiet").out == ""
    assert sorted(str(path) for path in Path("back").rglob("*.*")) == ["back/a.bmp", "back/deep/b.bmp"]


def test_json_tells_the_problems_too(run: Run, desk: Path) -> None:
    result = run("compress", "broken.png", "photo.png", *IMAGE, "--json")
    assert result.code == 1
    broken, good = json.loads(result.out)
    assert broken["input"] == "broken.png"
    assert broken["error"] in result.err
    assert good["output"] == "photo.vqc"


def test_nothing_is_overwritten_unless_forced(run: Run, desk: Path) -> None:
    Path("photo.vqc").write_text("precious")
    result = run("compress", "photo.png", *IMAGE)
    assert result.code == 1
    assert result.err.startswith("vqc: photo.png: photo.vqc: this file exists already; use --force to replace it")
    assert len(result.err.splitlines()) == 1
    assert Path("photo.vqc").read_text() == "precious"
    assert run("compress", "photo.png", *IMAGE, "--force").code == 0
    assert Path("photo.vqc").read_bytes().startswith(b"VQC")


def test_pipes_carry_files_and_nothing_else(run: Run, desk: Path) -> None:
    packed = run("compress", "-", *IMAGE, stdin=Path("photo.png").read_bytes())
    assert (packed.code, packed.raw[:3]) == (0, b"VQC")
    assert packed.err.startswith("standard input -> -  ")
    restored = run("decompress", "-", "--quiet", stdin=packed.raw)
    assert restored.err == ""
    with Image.open(io.BytesIO(restored.raw)) as image:
        assert (image.size, image.format) == ((45, 30), "PNG")

    packed = run("compress", "-", *AUDIO, stdin=Path("clip.wav").read_bytes())
    restored = run("decompress", "-", "--format", "flac", stdin=packed.raw)
    assert soundfile.info(io.BytesIO(restored.raw)).format == "FLAC"


def test_rubbish_on_standard_input_is_called_by_that_name(run: Run, desk: Path) -> None:
    for command in (("compress", "-", *IMAGE), ("decompress", "-")):
        result = run(*command, stdin=b"neither one nor the other")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("vqc: standard input: ")
        assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("compress",),
        ("compress", "photo.png", "--nonsense"),
        ("compress", "photo.png", *IMAGE, "-q", "2"),
        ("compress", "photo.png", *IMAGE, "-q", "0"),
        ("compress", "photo.png", *IMAGE, "-q", "best"),
        ("compress", "photo.png", *IMAGE, "--entropy", "prior"),
        ("compress", "photo.png", *IMAGE, "--entropy", "magic"),
        ("compress", "photo.png", *IMAGE, "--device", "abacus"),
        ("compress", "photo.png", *IMAGE, "--jobs", "0"),
        ("compress", "photo.png", *AUDIO),
        ("compress", "photo.png", *IMAGE, "--json", "-o", "-"),
        ("compress", "-", "photo.png", *IMAGE),
        ("compress", "photo.png", *IMAGE, "-q", "1", "--target-size", "20kB"),
        ("compress", "photo.png", *IMAGE, "--target-bpp", "1", "--lambda", "5"),
        ("compress", "photo.png", *IMAGE, "--force", "--update"),
        ("compress", "photo.png", *IMAGE, "-o", "photo.jpg"),
        ("compress", "photo.png", *IMAGE, "-o", "photo.png", "--force"),
        ("compress", "photo.png", "clip.wav", "-o", "out.vqc"),
        ("compress", "photo.png", "-q", "11"),
        ("compress", "photo.png", *IMAGE, "--json", "-o", "/dev/stdout"),
        ("decompress", "photo.vqc", "clip.vqc", "-o", "out.png"),
        ("decompress", "photo.vqc", "-o", "x.docx"),
        ("decompress", "photo.vqc", "-o", "x.png", "--format", "jpg"),
        ("verify",),
        ("unheard-of",),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(run: Run, desk: Path, arguments: tuple[str, ...]) -> None:
    before = sorted(desk.iterdir())
    result = run(*arguments)
    assert result.code == 2
    assert "Traceback" not in result.err
    assert sorted(desk.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("compress", "nothing.png", *IMAGE),
        ("compress", "broken.png", *IMAGE),
        ("compress", "photo.png", *IMAGE, "-o", "no/such/folder.vqc"),
        ("compress", "photo.png", *IMAGE, "-o", "/dev/full"),
        ("decompress", "photo.png"),
        ("decompress", "."),
        ("info", "photo.png"),
        ("info", "nothing.vqc"),
        ("info", "."),
        ("verify", "."),
        ("verify", "photo.png"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Run, desk: Path, arguments: tuple[str, ...]) -> None:
    before = sorted(desk.iterdir())
    result = run(*arguments)
    assert (result.code, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("vqc: ")
    assert sorted(desk.iterdir()) == before


def test_an_image_is_not_restored_as_audio(run: Run, desk: Path) -> None:
    run("compress", "photo.png", *IMAGE)
    result = run("decompress", "photo.vqc", "--format", "wav")
    assert result.code == 2
    assert "cannot be written as wav" in result.err


def test_the_limit_is_the_users(run: Run, desk: Path) -> None:
    run("compress", "photo.png", *IMAGE)
    result = run("decompress", "photo.vqc", "-o", "back.png", "--limit", 45 * 30 - 1)
    assert result.code == 1
    assert "limit" in result.err
    assert run("decompress", "photo.vqc", "-o", "back.png", "--limit", 45 * 30).code == 0


def test_lost_transparency_is_told(run: Run, desk: Path) -> None:
    Image.new("RGBA", (20, 10), (255, 0, 0, 100)).save("glass.png")
    assert run("compress", "glass.png", *IMAGE).code == 0
    assert run("decompress", "glass.vqc", "-o", "glass.webp").err == ""
    result = run("decompress", "glass.vqc", "-o", "glass.jpg")
    assert (result.code, len(result.err.splitlines())) == (0, 1)
    assert "transparency" in result.err


def test_what_is_a_vqc_file_already_is_left_alone(run: Run, desk: Path) -> None:
    run("compress", "photo.png", *IMAGE)
    data = Path("photo.vqc").read_bytes()
    result = run("compress", "photo.vqc", *IMAGE, "--force")
    assert result.code == 1
    assert "decompress" in result.err
    assert Path("photo.vqc").read_bytes() == data


def test_names_of_files_need_not_be_text(run: Run, desk: Path) -> None:
    name = os.fsdecode(b"\xff [bold] \xe4.png")
    Path(name).write_bytes(Path("photo.png").read_bytes())
    result = run("compress", name, "photo.png", *IMAGE)
    assert result.code == 0
    assert "[bold]" in result.out
    (first, _) = json.loads(run("compress", name, "photo.png", *IMAGE, "-f", "--json").out)
    assert first["input"] == name
    result = run("compress", name, *IMAGE)
    assert (result.code, len(result.err.splitlines())) == (1, 1)
