"""What commands do with results: guarded, counted, told as they are, and sent wherever a shell can send them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from PIL import Image

from vqc.cli.console import print_json

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ROOT = Path(__file__).parent.parent.parent
IMAGE, AUDIO = ("-m", "tiny-image"), ("-m", "tiny-audio")


@pytest.fixture
def packed(run: Run, desk: Path) -> Path:
    """The desk, with `all/photo.vqc` and `all/clip.vqc` of the files there."""
    Path("all").mkdir()
    assert run("compress", "photo.png", *IMAGE, "-o", "all").code == 0
    assert run("compress", "clip.wav", *AUDIO, "-o", "all").code == 0
    return desk


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_target_that_appears_meanwhile_is_kept(
    run: Run, packed: Path, monkeypatch: pytest.MonkeyPatch, command: str, force: bool
) -> None:
    from vqc.codec import files, stored_file

    module, read = {"compress": (files, "media_of_file"), "decompress": (stored_file, "read_vqc")}[command]
    before = getattr(module, read)

    def meanwhile(source: Any) -> Any:
        Path("x.vqc" if command == "compress" else "x.png").write_text("theirs")
        return before(source)

    monkeypatch.setattr(module, read, meanwhile)
    arguments = {"compress": ("photo.png", *IMAGE, "-o", "x.vqc"), "decompress": ("all/photo.vqc", "-o", "x.png")}
    result = run(command, *arguments[command], *(["-f"] if force else []))
    target = Path(arguments[command][-1])
    if force:
        assert (result.code, result.err) == (0, "")
        assert target.read_bytes()[:6] != b"theirs"
    else:
        assert result.code == 1
        assert result.err.startswith(f"vqc: {arguments[command][0]}: {target}: this file exists already")
        assert result.out == ""
        assert target.read_text() == "theirs"
    assert not list(packed.glob(".*"))


def test_a_folder_is_done_once_and_then_only_what_is_new(run: Run, desk: Path) -> None:
    Path("in").mkdir()
    for name in ("a.png", "b.png"):
        Path("in", name).write_bytes(Path("photo.png").read_bytes())
    Path("in/notes.txt").touch()
    first = run("compress", "in", "-o", "small", *IMAGE)
    assert first.code == 0
    assert first.err == "vqc: 1 file of another kind left out: 1 .txt\n"
    assert run("compress", "in", "-o", "small", *IMAGE, "--quiet", "-f").err == ""
    old = Path("small/a.vqc").read_bytes()
    os.utime("in/b.png", (4e9, 4e9))
    Path("in/c.png").write_bytes(Path("photo.png").read_bytes())
    again = run("compress", "in", "-o", "small", *IMAGE, "--update", "--json")
    assert again.code == 0
    assert "vqc: 1 file skipped, as the result is there already\n" in again.err
    skipped, *done = json.loads(again.out)
    assert skipped == {"input": "in/a.png", "output": "small/a.vqc", "skipped": True}
    assert [report["output"] for report in done] == ["small/b.vqc", "small/c.vqc"]
    last = run("compress", "in", "-o", "small", *IMAGE, "--skip-existing")
    assert (last.code, last.out) == (0, "")
    assert "vqc: 3 files skipped, as the result is there already\n" in last.err
    assert Path("small/a.vqc").read_bytes() == old
    assert run("decompress", "small", "-o", "back").code == 0
    assert "3 files skipped" in run("decompress", "small", "-o", "back", "--skip-existing").err
    os.utime("small/c.vqc", (4.1e9, 4.1e9))
    updated = run("decompress", "small", "-o", "back", "--update", "--json")
    assert updated.code == 0
    assert [report["input"] for report in json.loads(updated.out) if "skipped" not in report] == ["small/c.vqc"]
    assert "2 files skipped" in updated.err


def test_results_have_the_time_of_their_sources(run: Run, desk: Path) -> None:
    os.utime("photo.png", (1e9, 1e9))
    assert run("compress", "photo.png", *IMAGE).code == 0
    assert run("decompress", "photo.vqc").code == 0
    assert [Path(name).stat().st_mtime for name in ("photo.vqc", "photo.restored.png")] == [1e9, 1e9]
    assert "1 file skipped" in run("compress", "photo.png", *IMAGE, "--update").err
    os.utime("photo.png", (1e9 + 1, 1e9 + 1))
    assert "1 file skipped" not in run("compress", "photo.png", *IMAGE, "--update").err
    sent = run("compress", "-", *IMAGE, "-o", "sent.vqc", stdin=Path("photo.png").read_bytes())
    assert sent.code == 0
    assert Path("sent.vqc").stat().st_mtime > 1e9 + 1, "standard input has no time"


def test_a_file_that_grew_is_said_to_have_grown(run: Run, desk: Path) -> None:
    Image.new("1", (200, 200)).save("bw.png")
    result = run("compress", "bw.png", *IMAGE, "--entropy", "none", "--json")
    (report,) = json.loads(result.out)
    assert report["bytes_out"] > report["bytes_in"]
    assert report["ratio"] == pytest.approx(report["bytes_in"] / report["bytes_out"], abs=1e-4)
    assert result.err.startswith("vqc: bw.png: the result is larger than the file, ")
    both = run("compress", "bw.png", "photo.png", *IMAGE, "--entropy", "none", "-f").out.splitlines()
    sizes = [Path(name).stat().st_size for name in ("bw.png", "photo.png", "bw.vqc", "photo.vqc")]
    times = f"{sum(sizes[:2]) / sum(sizes[2:]):#.3g}x"
    assert times in both[-1]
    (back,) = json.loads(run("decompress", "bw.vqc", "--json").out)
    assert back["ratio"] == pytest.approx(back["bytes_out"] / back["bytes_in"], abs=1e-4)


def test_the_original_is_never_wanted_by_a_restored_file(run: Run, desk: Path) -> None:
    original = Path("photo.png").read_bytes()
    for _ in range(2):
        assert run("compress", "photo.png", *IMAGE, "-f").code == 0
        assert run("decompress", "photo.vqc", "-f").code == 0
    assert run("decompress", "photo.vqc", "-o", ".", "-f").code == 0
    assert Path("photo.png").read_bytes() == original
    with Image.open("photo.restored.png") as image:
        assert image.size == (45, 30)
    refused = run("decompress", "photo.vqc", "-o", "photo.png")
    assert refused.code == 1
    assert "--force" not in refused.err


def test_a_format_is_for_the_files_of_its_medium(run: Run, packed: Path) -> None:
    result = run("decompress", "all", "-o", "back", "--format", "jpg")
    assert result.code == 0
    assert sorted(path.name for path in Path("back").iterdir()) == ["clip.wav", "photo.jpg"]
    with Image.open("back/photo.jpg") as image:
        assert image.format == "JPEG"
    assert soundfile.info("back/clip.wav").frames == 5512
    assert result.err == "vqc: 1 audio file restored as wav: jpg is for the others\n"


def test_folders_are_verified_and_described(run: Run, packed: Path) -> None:
    Path("all/broken.vqc").write_bytes(Path("all/photo.vqc").read_bytes()[:-3])
    Path("all/notes.txt").touch()
    result = run("verify", "all")
    assert result.code == 1
    assert result.out.splitlines() == ["all/clip.vqc: ok", "all/photo.vqc: ok"]
    broken, note = result.err.splitlines()
    assert broken.startswith("vqc: all/broken.vqc: ")
    assert note == "vqc: 1 file of another kind left out: 1 .txt"
    Path("all/broken.vqc").unlink()
    assert run("verify", "all", "--quiet").code == 0
    assert run("verify", "-", stdin=Path("all/clip.vqc").read_bytes()).out == "standard input: ok\n"
    described = json.loads(run("info", "all", "--json").out)
    assert [(Path(entry["file"]).name, entry["media"]) for entry in described] == [
        ("clip.vqc", "audio"),
        ("photo.vqc", "image"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_a_result_goes_where_the_shell_says(run: Run, packed: Path) -> None:
    whole = run("decompress", "all/photo.vqc", "-o", "-").raw
    assert whole.startswith(b"\x89PNG")
    assert run("decompress", "all/photo.vqc", "-o", "/dev/stdout").raw == whole
    assert run("decompress", "all/photo.vqc", "-o", os.devnull).code == 0
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as out:
        result = run("decompress", "all/photo.vqc", "-o", f"/dev/fd/{writer}")
        os.close(writer)
        assert out.read() == whole
    assert f"-> /dev/fd/{writer}  " in result.out
    with Path("log").open("wb") as log:
        log.write(b"before ")
        log.flush()
        assert run("decompress", "all/clip.vqc", "-o", f"/dev/fd/{log.fileno()}").code == 0
    written = Path("log").read_bytes()
    assert written.startswith(b"before RIFF")
    assert soundfile.info(io.BytesIO(written[7:])).frames == 5512


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("decompress x.vqc -o - >&-", 1, "", "vqc: standard output is closed; give the result a file with -o\n"),
        ("verify x.vqc --json >&-", 1, "", "vqc: standard output is closed, and --json goes there\n"),
        ("verify - <&-", 1, "", "vqc: standard input is closed; give the name of a file instead of -\n"),
        ("info missing.vqc 2>&-", 1, "", ""),
        ("--version >/dev/full", 1, "", "vqc: No space left on device\n"),
    ],
)
def test_standard_files_that_are_closed_or_full(tmp_path: Path, line: str, code: int, out: str, err: str) -> None:
    (tmp_path / "x.vqc").write_bytes(b"VQC")
    command = f"{sys.executable} -m vqc {line}"
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert "Traceback" not in result.stderr
    assert (result.returncode, result.stdout) == (code, out)
    assert result.stderr.endswith(err)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
    value = {"input": "übung 写真 \udcff.png"}
    print_json(value)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode("utf-8")) == value
    assert (b"\\u5199" in raw.getvalue()) == (encoding != "utf-8")
