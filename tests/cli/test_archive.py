"""`vqc archive` as its users run it, with tiny untrained models."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import vqc

if TYPE_CHECKING:
    from tests.cli.conftest import Run

IMAGE, AUDIO = ("-m", "tiny-image"), ("-m", "tiny-audio")


@pytest.fixture
def photos(desk: Path) -> Path:
    for name in ("cats/1.png", "cats/ż 2.png", "dogs/1.png"):
        (desk / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(desk / "photo.png", desk / "photos" / name)
    return desk / "photos"


def test_an_archive_there_and_back(run: Run, photos: Path) -> None:
    result = run("archive", "create", "set.vqca", "photos", *IMAGE)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("set.vqca: 3 items  ")
    result = run("archive", "list", "set.vqca")
    assert [line.split()[-1] for line in result.out.splitlines()] == ["cats/1.png", "2.png", "dogs/1.png"]
    assert "3 items" in result.err
    assert "2 labels; tiny-image, quality 1, static" in result.err
    listed = json.loads(run("archive", "list", "set.vqca", "cats", "--json").out)
    assert [(item["name"], item["label"]) for item in listed["items"]] == [
        ("cats/1.png", "cats"),
        ("cats/ż 2.png", "cats"),
    ]
    assert run("archive", "verify", "set.vqca").out == "set.vqca: ok, 3 items\n"
    verified = json.loads(run("archive", "verify", "set.vqca", "--json").out)
    assert verified == {"archive": "set.vqca", "ok": True, "items": 3, "errors": []}
    assert run("archive", "extract", "set.vqca", "dogs/", "-o", "out").out == "out: 1 item\n"
    assert [path.name for path in Path("out").rglob("*.*")] == ["1.png"]
    with Image.open("out/dogs/1.png") as image:
        assert image.size == (45, 30)
    partly = run("archive", "extract", "set.vqca", "-o", "out")
    assert (partly.code, partly.out) == (1, "out: 2 items\n"), "one is there"
    told = json.loads(run("archive", "extract", "set.vqca", "dogs", "-o", "out", "--json").out)
    assert (told["items"], told["failed"], [one["item"] for one in told["failures"]]) == (0, 1, ["dogs/1.png"])
    assert run("archive", "extract", "set.vqca", "-o", "out", "--skip-existing", "--quiet").code == 0
    assert run("archive", "extract", "set.vqca", "-o", "files", "--format", "vqc").code == 0
    assert vqc.verify("files/cats/1.vqc").model == "tiny-image"


def test_compress_makes_the_same_archive(run: Run, photos: Path) -> None:
    run("archive", "create", "one.vqca", "photos", *IMAGE)
    result = run("compress", "photos", "--archive", "two.vqca", *IMAGE)
    assert (result.code, result.err) == (0, "")
    assert Path("one.vqca").read_bytes() == Path("two.vqca").read_bytes()
    result = run("compress", "photos", "--archive", "two.vqca", "-o", "out", *IMAGE)
    assert (result.code, result.err) == (2, "vqc: --archive and -o exclude each other; see vqc archive create --help\n")
    result = run("compress", "photos", "--archive", "two.vqca", *IMAGE)
    assert result.code == 1
    assert "exists already" in result.err


def test_a_broken_image_is_left_out_and_told(run: Run, photos: Path) -> None:
    shutil.copy("broken.png", photos / "cats/3.png")
    result = run("archive", "create", "set.vqca", "photos", *IMAGE)
    assert result.code == 1
    assert "cats/3.png" in result.err
    assert "Traceback" not in result.err
    assert len(vqc.open_archive("set.vqca")) == 3


def test_what_is_there_is_not_added_again(run: Run, photos: Path) -> None:
    run("archive", "create", "set.vqca", "photos", *IMAGE)
    before = Path("set.vqca").read_bytes()
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(photos / "new.png")
    result = run("archive", "append", "set.vqca", "photos", *IMAGE)
    assert result.code == 0
    assert result.err == "vqc: 3 items left out, as the archive has them already\n"
    assert Path("set.vqca").read_bytes().startswith(before)
    assert vqc.open_archive("set.vqca").names == ["cats/1.png", "cats/ż 2.png", "dogs/1.png", "new.png"]
    assert json.loads(run("archive", "append", "set.vqca", "photos", "--json").out)["skipped"] == 4


def test_items_of_other_archives_are_appended_as_they_are(run: Run, photos: Path) -> None:
    run("archive", "create", "set.vqca", "photos/cats/1.png", *IMAGE)
    run("archive", "create", "all.vqca", "photos", *IMAGE)
    run("archive", "create", "more.vqca", "photos/dogs", *IMAGE)
    result = run("archive", "append", "set.vqca", "all.vqca", "more.vqca")
    assert (result.code, "1 item left out" in result.err) == (0, True)
    assert result.out.startswith("set.vqca: 3 items")
    opened, other = vqc.open_archive("set.vqca"), vqc.open_archive("all.vqca")
    assert opened.names == ["1.png", "cats/1.png", "cats/ż 2.png", "dogs/1.png"]
    assert [item.to_vqc() for item in opened[1:]] == [item.to_vqc() for item in other]
    assert [item.label for item in opened] == ["", "cats", "cats", "dogs"]
    run("archive", "create", "none.vqca", "photos", *IMAGE, "--entropy", "none")
    before = Path("set.vqca").read_bytes()
    result = run("archive", "append", "set.vqca", "none.vqca")
    assert (result.code, "another model, quality or entropy mode" in result.err) == (2, True)
    assert run("archive", "append", "set.vqca", "all.vqca", "photos").code == 2
    assert Path("set.vqca").read_bytes() == before
    damaged = bytearray(Path("none.vqca").read_bytes())
    entry = vqc.open_archive("none.vqca")._entry(1)
    damaged[entry.start] ^= 1
    Path("bad.vqca").write_bytes(damaged)
    run("archive", "create", "new.vqca", "photos/cats/1.png", *IMAGE, "--entropy", "none")
    result = run("archive", "append", "new.vqca", "bad.vqca")
    assert (result.code, "cats/ż 2.png in the archive is damaged" in result.err) == (1, True)
    assert vqc.open_archive("new.vqca").names == ["1.png", "cats/1.png", "dogs/1.png"]


def test_several_folders_keep_their_names(run: Run, photos: Path) -> None:
    run("archive", "create", "set.vqca", "photos/cats", "photos/dogs", *IMAGE)
    opened = vqc.open_archive("set.vqca")
    assert opened.names == ["cats/1.png", "cats/ż 2.png", "dogs/1.png"]
    assert opened.labels == ["cats", "dogs"]


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        (("create", "set.vqca", "."), 2, "an archive has one kind: choose with -m"),
        (("create", "set.vqca", "-", *IMAGE), 2, "standard input (-) has none"),
        (("create", "set.vqca", "photos", *IMAGE, "-q", "9"), 2, "quality 9"),
        (("create", "set.vqca", "nothing", *IMAGE), 1, "no such file or folder"),
        (("append", "set.vqca", "photos"), 1, "set.vqca: "),
        (("list", "set.vqca"), 1, "set.vqca: "),
        (("list", "photo.png"), 1, "this is not an archive"),
        (("extract", "good.vqca", "cats/7.png"), 2, "no item of the archive has this name"),
        (("extract", "good.vqca", "--format", "wav"), 2, "the items cannot be written so"),
        (("extract", "good.vqca", "--force", "--skip-existing"), 2, "exclude each other"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    run: Run, photos: Path, command: tuple[str, ...], code: int, sentence: str
) -> None:
    run("archive", "create", "good.vqca", "photos", *IMAGE)
    result = run("archive", *command)
    assert result.code == code
    assert sentence in result.err
    assert len(result.err.splitlines()) == 1
    assert not Path("set.vqca").exists()


def test_a_cut_archive_is_listed_and_told(run: Run, photos: Path) -> None:
    run("archive", "create", "set.vqca", "photos", *IMAGE, "--entropy", "none")
    last = vqc.open_archive("set.vqca")._entry(2)
    Path("cut.vqca").write_bytes(Path("set.vqca").read_bytes()[: last.start + 1])
    result = run("archive", "list", "cut.vqca")
    assert len(result.out.splitlines()) == 2
    assert "ends within a block" in result.err
    assert run("archive", "verify", "cut.vqca").code == 1
    assert run("archive", "append", "cut.vqca", "photos").code == 0
    assert run("archive", "verify", "cut.vqca").out == "cut.vqca: ok, 3 items\n"


def test_export_and_tokens(run: Run, photos: Path) -> None:
    run("archive", "create", "set.vqca", "photos", *IMAGE)
    assert run("archive", "export", "set.vqca", "--to", "npz").out == "set.npz: 3 items\n"
    assert np.load("set.npz")["codes"].shape[0] == 3
    assert run("archive", "export", "set.vqca", "--to", "zip").code == 2
    export = "archive", "export", "set.vqca", "--to", "webdataset", "--decode"
    assert run(*export, "--format", "jpeg").out == "set.tar: 3 items\n"
    with tarfile.open("set.tar") as tar:
        assert tar.getnames()[-3:] == ["000002.jpeg", "000002.cls", "000002.json"]
    assert "cannot be written so; use .avif" in run(*export, "--format", "vqc", "--force").err
    run("compress", "photo.png", "-o", "photo.vqc", *IMAGE)
    codes = vqc.read_codes("photo.vqc").array
    result = run("tokens", "photo.vqc", "--json")
    assert np.array_equal(json.loads(result.out)["codes"], codes)
    assert run("tokens", "photo.vqc", "-o", "codes.npy").code == 0
    assert np.array_equal(np.load("codes.npy"), codes)
    assert np.array_equal(np.load(io.BytesIO(run("tokens", "photo.vqc").raw)), codes)
    assert run("tokens", "photo.vqc", "--json", "-o", "codes.json").out == ""
    assert Path("codes.json").read_text() == result.out
    assert np.array_equal(
        vqc.decode(vqc.read_codes("photo.vqc")).array, vqc.decompress(Path("photo.vqc").read_bytes()).array
    )
    run("compress", "clip.wav", "-o", "clip.vqc", *AUDIO)
    assert vqc.read_codes("clip.vqc").array.ndim == 3


@pytest.mark.parametrize("command", ["info", "verify", "decompress", "compress"])
def test_what_takes_files_says_what_takes_archives(run: Run, photos: Path, command: str) -> None:
    run("archive", "create", "good.vqca", "photos", *IMAGE)
    result = run(command, "good.vqca")
    assert (result.code, "an archive; vqc archive list, extract and verify" in result.err) == (1, True), result.err
