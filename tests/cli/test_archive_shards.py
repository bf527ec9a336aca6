"""A folder of archives from a folder or URL of any size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import stay_in_this_process

import vqc
from vqc.torch import CodesDataset

if TYPE_CHECKING:
    from tests.cli.conftest import Run

IMAGE = ("-m", "tiny-image")
NAMES = ["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png"]


@pytest.fixture
def photos(desk: Path) -> Path:
    for name in NAMES:
        (desk / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(desk / "photo.png", desk / "photos" / name)
    return desk / "photos"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_are_archives_of_the_files_in_their_order(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("archive", "create", "set/", "photos", *IMAGE, "--shard-items", "2")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("set: 5 files  ")
    shards = sorted(Path("set").glob("*.vqca"))
    items = [item for shard in shards for item in vqc.open_archive(shard)]
    assert [item.name for item in items] == NAMES
    assert [item.label for item in items] == ["a", "a", "a", "b", "b"]
    index = [json.loads(line) for line in Path("set/shards.jsonl").read_text().splitlines()]
    assert [(line["shard"], line["items"]) for line in index] == [
        (s.name, n) for s, n in zip(shards, (2, 2, 1), strict=True)
    ]
    assert [(line["first"], line["last"]) for line in index] == [(NAMES[i], NAMES[min(i + 1, 4)]) for i in (0, 2, 4)]
    data = CodesDataset("set")
    assert [data[i].name for i in range(len(data))] == NAMES
    run("archive", "create", "one.vqca", "photos", *IMAGE)
    assert [item.to_vqc() for item in items] == [item.to_vqc() for item in vqc.open_archive("one.vqca")]
    stay_in_this_process(monkeypatch)
    run("archive", "create", "two/", "photos", *IMAGE, "--shard-items", "2", "--ray", "--jobs", "2")
    assert contents(Path("set")) == contents(Path("two"))
    assert run("compress", "photos", "--archive", "three/", *IMAGE, "--quiet").code == 0
    assert len(contents(Path("three"))) == 2


def test_what_is_there_by_names_and_sizes_is_passed_over(run: Run, photos: Path, memory: Any) -> None:
    memory.put(str(photos) + "/", "/photos/", recursive=True)
    command = ("archive", "create", "memory://set", "memory://photos", *IMAGE, "--shard-items", "2")
    assert run(*command, "--quiet").code == 0
    first, second, third, index = memory.find("/set")
    listed = memory.cat_file(index)
    memory.rm_file(second)
    written = memory.created(first)
    result = run(*command, "--json")
    said = json.loads(result.out)
    assert (said["files"], said["skipped"], said["failed"]) == (2, 3, 0)
    assert memory.created(first) == written
    assert memory.find("/set") == [first, second, third, index]
    assert memory.cat_file(index) == listed
    memory.pipe_file("/photos/b/1.png", memory.cat_file("/photos/b/1.png") + b" ")  # of another size now
    result = run(*command)
    assert result.code == 1
    assert f"{second[5:]}: this shard was made of other files or options; use --force to replace it" in result.err
    assert run(*command, "--force", "--quiet").code == 0
    assert [name[:10] for name in memory.find("/set")] == ["/set/00000", "/set/00001", "/set/00002", "/set/shard"]
    assert second not in memory.find("/set")
    assert third in memory.find("/set")
    assert run(*command, "--entropy", "none").code == 1, "made with other options"


def test_bad_files_are_named_and_the_rest_is_there(run: Run, photos: Path) -> None:
    shutil.copy("broken.png", photos / "a/2.png")
    (photos / "a/notes.txt").touch()
    result = run("archive", "create", "set/", "photos", *IMAGE, "--shard-items", "3")
    assert result.code == 1
    assert result.err.splitlines()[0].startswith("vqc: photos/a/2.png: ")
    assert result.err.splitlines()[1:] == ["vqc: 1 file of another kind left out: 1 .txt"]
    assert sum(len(vqc.open_archive(path)) for path in Path("set").glob("*.vqca")) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("memory://set.vqca", "photos"), "shards and archives at URLs are made in a folder"),
        (("set/", "photos", "photo.png"), "shards are made of one folder or URL"),
        (("set/", "nowhere"), "nowhere"),
        (("set/", "photos", "-q", "7"), "quality"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, photos: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run("archive", "create", *arguments, *IMAGE)
    assert result.code in (1, 2)
    assert said in result.err
    assert len(result.err.splitlines()) == 1
