"""Folders and URLs of any size: listed as they are worked on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import stay_in_this_process

import vqc

if TYPE_CHECKING:
    from tests.cli.conftest import Run

IMAGE = ("-m", "tiny-image")


@pytest.fixture
def photos(desk: Path, memory: Any) -> Path:
    """A folder of three photos and a text, also at memory://photos."""
    for name in ("a/1.png", "a/2.png", "b.png"):
        (desk / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(desk / "photo.png", desk / "photos" / name)
    (desk / "photos/notes.txt").write_text("notes")
    memory.put(str(desk / "photos") + "/", "/photos/", recursive=True)
    return desk / "photos"


def test_what_a_url_names_is_measured(run: Run, photos: Path, memory: Any) -> None:
    options: dict[str, Any] = {"model": "tiny-image", "metrics": ["psnr"]}
    here, there = (vqc.evaluate(data, **options) for data in (photos, "memory://photos"))
    assert there.data == here.data == "3 images of photos"
    assert there.files == here.files
    memory.rm_file("/photos/a/1.png")
    assert [score.item for score in vqc.evaluate("memory://photos/b.png", **options).files] == ["b.png"]
    result = run("eval", "--data", "memory://photos", *IMAGE, "--metrics", "psnr", "--limit", "1", "--csv", "out.csv")
    assert result.code == 0
    assert [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()[1:]] == ["a/2.png"]
    result = run("eval", "--data", "memory://nowhere", *IMAGE)
    assert (result.code, "there is no such file or folder" in result.err) == (1, True)


def test_there_and_back_by_url(run: Run, photos: Path, memory: Any) -> None:
    result = run("compress", "memory://photos", "-o", "memory://out/", *IMAGE)
    assert (result.code, result.err) == (0, "vqc: 1 file of another kind left out: 1 .txt\n")
    assert result.out.startswith("memory://out: 3 files  ")
    assert memory.find("/out") == ["/out/a/1.vqc", "/out/a/2.vqc", "/out/b.vqc"]
    run("compress", photos, "-o", "here/", *IMAGE, "--quiet")
    assert memory.cat_file("/out/a/2.vqc") == Path("here/a/2.vqc").read_bytes()
    assert run("decompress", "memory://out", "-o", "back", "--format", "bmp").code == 0
    assert sorted(path.name for path in Path("back").rglob("*.bmp")) == ["1.bmp", "2.bmp", "b.bmp"]
    assert run("decompress", "memory://out/b.vqc", "-o", "memory://one").code == 0
    assert memory.find("/one") == ["/one/b.png"]


def test_what_is_done_is_not_done_again(run: Run, photos: Path, memory: Any) -> None:
    command = ("compress", "memory://photos", "-o", "memory://out", *IMAGE)
    run(*command)
    memory.rm_file("/out/a/1.vqc")
    memory.pipe_file("/out/b.vqc", b"")  # as by a store that is not whole or not at all
    result = run(*command, "--skip-existing", "--json")
    said = json.loads(result.out)
    assert (said["files"], said["skipped"], said["failed"]) == (2, 1, 0)
    assert memory.cat_file("/out/b.vqc") == memory.cat_file("/out/a/2.vqc")
    result = run(*command)
    assert result.code == 1
    assert result.err.splitlines()[0] == (
        "vqc: memory://photos/b.png: memory://out/b.vqc: this file exists already; use --force to replace it, "
        "or --skip-existing to leave it"
    )
    assert run(*command, "--force").code == 0


def test_failures_are_listed_at_the_end_and_stop_nobody(run: Run, photos: Path, memory: Any) -> None:
    memory.pipe_file("/photos/a/0.png", Path("broken.png").read_bytes())
    result = run("compress", "memory://photos", "-o", "memory://out", *IMAGE)
    assert result.code == 1
    assert result.err.startswith("vqc: memory://photos/a/0.png: ")
    assert "/tmp" not in result.err, "no name of a copy"
    assert result.out.startswith("memory://out: 3 files  ")


def test_names_that_differ_in_the_suffix_alone_are_kept_whole(run: Run, photos: Path, memory: Any) -> None:
    memory.cp_file("/photos/b.png", "/photos/b.bmp")
    assert run("compress", "memory://photos", "-o", "memory://out", *IMAGE, "--quiet").code == 0
    assert memory.find("/out", maxdepth=1) == ["/out/b.bmp.vqc", "/out/b.png.vqc"]
    assert run("decompress", "memory://out", "--quiet").code == 0  # beside them
    assert "/out/a/1.restored.png" in memory.find("/out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("memory://photos", "b.png"), "memory://photos: with URLs give one input, a file or a folder"),
        (("memory://photos", "-o", "-"), "memory://photos: URLs and standard input or output exclude each other"),
        (("memory://photos", "--stats"), "memory://photos: --stats and URLs exclude each other"),
        (("memory://photos", "--update"), "--update compares times, which not all URLs have; use --skip-existing"),
        (("memory://nothing", "-o", "out"), "memory://nothing: there is no such file or folder"),
        (("memory://photos", "-o", "out.vqc"), "results of a folder or URL go to a folder; write out.vqc/"),
        (("memory://photos", "-q", "99", *IMAGE), "the qualities of the model tiny-image are 1 to 1"),
        (("nonsense://photos", "-o", "out"), "nonsense://photos: cannot be opened"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, photos: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run("compress", *arguments)
    assert result.code in (1, 2)
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_other_machines_get_folders_as_they_are_listed(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With workers that need pickled tasks, and no plan of the whole folder before."""
    stay_in_this_process(monkeypatch)
    monkeypatch.setattr("vqc.cli.file_command.make_plan", None)
    assert run("compress", photos, "-o", "out", *IMAGE, "--ray", "--quiet").code == 0
    assert sorted(path.name for path in Path("out").rglob("*.vqc")) == ["1.vqc", "2.vqc", "b.vqc"]
    assert run("decompress", "--ray", "out", "-o", "back", "--jobs", "2", "--quiet").code == 0
    assert len(list(Path("back").rglob("*.png"))) == 3
    result = run("compress", "--ray", "auto", photos, "-o", "out", *IMAGE, "--update")
    assert (result.code, result.err) == (
        0,
        "vqc: 3 files skipped, as the result is there already\nvqc: 1 file of another kind left out: 1 .txt\n",
    )
