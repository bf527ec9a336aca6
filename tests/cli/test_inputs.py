"""What the arguments of a command mean, and what is said of files that are not among it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from vqc.cli.inputs import FoundInputs, find_inputs, skipped_note

SUFFIXES = frozenset({".png", ".jpg"})


def find(*names: str, passed_over: frozenset[str] = frozenset()) -> FoundInputs:
    return find_inputs(names, SUFFIXES, "pictures", passed_over=passed_over)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """We stand beside `photos` with two pictures, four files of other kinds and two hidden ones."""
    for name in ("a.png", "b/c.JPG", "d.heic", "b/e.HEIC", "f.txt", "README", ".hidden.heic", ".thumbs/x.gif", "a.vqc"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def test_of_a_folder_nothing_is_left_out_without_a_count(photos: Path) -> None:
    found = find("photos", passed_over=frozenset({".vqc"}))
    assert [source.name for source in found.sources] == ["photos/a.png", "photos/b/c.JPG"]
    assert skipped_note(found.others) == "4 files of other kinds left out: 2 .heic, 1 without a suffix, 1 .txt"
    assert skipped_note(find("photos").others).startswith("5 files of other kinds left out: 2 .heic, ")
    assert skipped_note(find("photos/a.png").others) == ""
    assert skipped_note(Counter({".gif": 1})) == "1 file of another kind left out: 1 .gif"
    assert skipped_note(Counter({f".{i}": 20 - i for i in range(10)})).endswith(", 13 .7, 23 more")


def test_every_name_is_a_source_and_every_name_once(photos: Path) -> None:
    (photos / "alias.png").symlink_to("a.png")
    (photos / "gone.png").symlink_to("nothing.png")
    os.mkfifo(photos / "pipe.png")
    (photos / "self").symlink_to(photos)
    found = find("photos", "photos/a.png", "./photos/../photos/b/c.JPG")
    assert [source.name for source in found.sources] == ["photos/a.png", "photos/alias.png", "photos/b/c.JPG"]
    assert [str(error) for _, error in found.failures] == [
        "photos/gone.png: this link leads nowhere",
        "photos/pipe.png: this is no ordinary file; send it to standard input (-)",
    ]


def test_a_folder_that_may_not_be_read_is_a_failure(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:  # root may read any folder
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    found = find("photos")
    assert [source.name for source in found.sources] == ["photos/a.png"]
    assert [str(error) for _, error in found.failures] == ["photos/b: this folder cannot be read: Permission denied"]


def test_a_folder_without_what_is_sought_is_a_failure_and_counts_what_it_holds(photos: Path) -> None:
    (photos / "a.png").unlink()
    (photos / "b/c.JPG").unlink()
    found = find("photos")
    (failure,) = found.failures
    kinds = "2 .heic, 1 without a suffix, 1 .txt, 1 .vqc"
    assert str(failure[1]) == f"photos: there are no pictures in this folder, only {kinds}"
    assert skipped_note(found.others) == "", "said already"
