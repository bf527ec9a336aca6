"""One rule for what lies below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from folders import made

from vqc.data.benchmarks import open_benchmark
from vqc.data.discovery import find_media
from vqc.data.walk import files_below, walk
from vqc.errors import MediaError


def closed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Makes a folder one that may not be read; root may read any."""
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)


def test_every_name_counts_and_loops_end(tmp_path: Path) -> None:
    photos = made(tmp_path / "photos", "a.png", "sub/b.png", "sub/.hidden", ".git/x.png", "__MACOSX/a.png")
    made(tmp_path, "else/c.png")
    (photos / "alias.png").symlink_to("a.png")
    (photos / "gone.png").symlink_to("nothing.png")
    (photos / "other").symlink_to(tmp_path / "else")
    (photos / "sub" / "again").symlink_to(tmp_path / "else")
    (photos / "sub" / "loop").symlink_to(photos)
    (tmp_path / "else" / "back").symlink_to(photos)
    names = ["a.png", "alias.png", "gone.png", "other/c.png", "sub/b.png", "sub/again/c.png"]
    assert [name for place in walk(photos, print) for name in place.paths] == names
    assert list(files_below(photos)) == [photos / name for name in names]


def test_what_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a.png", "private/b.png", "z/c.png")
    closed(monkeypatch, "private")
    told: list[OSError] = []
    assert [name for place in walk(tmp_path, told.append) for name in place.paths] == ["a.png", "z/c.png"]
    assert [error.filename for error in told] == [str(tmp_path / "private")]
    with pytest.raises(MediaError, match="private: cannot be read: Permission denied"):
        open_benchmark(str(tmp_path), "image")
    assert find_media(tmp_path, "image").notes == (f"{tmp_path}/private is left out, as it may not be read",)
