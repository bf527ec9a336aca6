"""Where results go and what they are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vqc.cli.inputs import InputFile
from vqc.cli.outputs import STANDARD_OUTPUT, Naming, check_output, check_suffix, stream_of
from vqc.errors import OptionError

MEDIA, VQC = frozenset({".png", ".jpeg", ".wav"}), frozenset({".vqc"})


def named(naming: Naming, path: Path, suffix: str, folder: Path | None = None) -> str:
    return naming.result(InputFile(path, Path(path.name), str(path)), suffix, folder).name


def test_what_is_no_file_is_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert stream_of("-") == stream_of("/dev/stdout") == stream_of("/dev/fd/1") == STANDARD_OUTPUT
    for name, descriptor in {"/dev/stderr": 2, "/dev/fd/63": 63, "/proc/self/fd/7": 7}.items():
        stream = stream_of(name)
        assert stream is not None
        assert (stream.name, stream.descriptor) == (name, descriptor)
    for name in (os.devnull, str(tmp_path / "pipe")):
        stream = stream_of(name)
        assert stream is not None
        assert (stream.name, stream.descriptor) == (name, None)
    for other in (None, "x.vqc", str(tmp_path), str(tmp_path / "file"), str(tmp_path / "missing")):
        assert stream_of(other) is None


def test_only_the_suffix_of_a_format_is_taken_from_a_name(tmp_path: Path) -> None:
    naming = Naming(MEDIA)
    for name, result in {
        "photo.png": "photo.vqc",
        "photo.PNG": "photo.vqc",
        "IMG_1.5x": "IMG_1.5x.vqc",
        "IMG_1.7x": "IMG_1.7x.vqc",
        "IMG_1.5x.png": "IMG_1.5x.vqc",
        "scan": "scan.vqc",
    }.items():
        assert named(naming, tmp_path / name, ".vqc") == result


def test_names_that_differ_in_the_suffix_alone_are_kept_whole(tmp_path: Path) -> None:
    for name in ("x.png", "x.jpeg", "x.txt", "y.png", "y.vqc"):
        (tmp_path / name).touch()
    naming = Naming(MEDIA)
    results = [named(naming, tmp_path / name, ".vqc") for name in ("x.png", "x.jpeg", "y.png")]
    assert results == ["x.png.vqc", "x.jpeg.vqc", "y.vqc"]


def test_a_restored_file_never_has_the_name_of_the_original_beside_it(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    naming = Naming(VQC, ".restored")
    assert named(naming, tmp_path / "photo.vqc", ".png") == "photo.restored.png"
    assert named(naming, tmp_path / "photo.vqc", ".png", tmp_path / "else" / "..") == "photo.restored.png"
    assert named(naming, tmp_path / "photo.vqc", ".png", tmp_path / "else") == "photo.png"
    assert named(naming, tmp_path / "photo.jpeg.vqc", ".png", tmp_path / "else") == "photo.jpeg.png"
    assert named(naming, tmp_path / "photo", ".png") == "photo.restored.png"


def test_a_long_name_is_cut_to_fit() -> None:
    name = named(Naming(VQC, ".restored"), Path("写" * 83 + ".vqc"), ".png")
    assert name == "写" * 80 + ".restored.png"
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("output", "inputs", "problem"),
    [
        ("photo.jpg", ["a.png"], "the result is a .vqc file"),
        ("photo.zip", ["a.png"], "the result is a .vqc file"),
        ("out.vqc", ["a.png", "b.wav"], "several results need a folder"),
        ("out.png", ["."], "several results need a folder"),
        ("out.vqc", ["a.png"], ""),
        ("out.VQC", ["a.png"], ""),
        ("out", ["a.png"], ""),
        ("out.vqc/", ["a.png", "b.png"], ""),
        ("out.2024", ["a.png", "b.png"], ""),
        ("-", ["a.png"], ""),
        ("/dev/fd/3", ["a.png"], ""),
        (None, ["a.png"], ""),
    ],
)
def test_a_name_of_another_kind_is_refused(output: str | None, inputs: list[str], problem: str) -> None:
    if not problem:
        check_output(output, inputs, MEDIA | VQC, only=".vqc")
        return
    with pytest.raises(OptionError, match=problem):
        check_output(output, inputs, MEDIA | VQC, only=".vqc")


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "all.vqc").mkdir()
    check_output(str(tmp_path / "all.vqc"), ["a.png", "b.png"], VQC, only=".vqc")


def test_reports_and_tables_are_called_what_they_are() -> None:
    check_suffix("--report", Path("r.html"), ".html", ".htm")
    check_suffix("--report", Path("r.HTM"), ".html", ".htm")
    check_suffix("--report", Path("report"), ".html")
    check_suffix("--report", None, ".html")
    with pytest.raises(OptionError, match=r"--report r\.pdf: .* \.html"):
        check_suffix("--report", Path("r.pdf"), ".html", ".htm")
