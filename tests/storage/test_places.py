"""Folders by path and by URL are listed, read and written alike."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from vqc.errors import MediaError, MissingPackageError, OutputError
from vqc.storage import places
from vqc.storage.places import Folder, Place, place_of


@pytest.fixture(params=["path", "memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path, memory: Any) -> Place:
    """A folder `in` with three files and a hidden one."""
    root = {"path": str(tmp_path / "in"), "memory": "memory://in", "file": f"file://{tmp_path}/in"}[request.param]
    for name, data in {"b.txt": b"bb", "a.txt": b"a", "c/d e.txt": b"ddd", ".hidden": b"-", "c/.x/y": b"-"}.items():
        if request.param == "memory":
            memory.pipe_file(f"/in/{name}", data)
        else:
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_bytes(data)
    found = place_of(root + "/")
    assert (found.local is None) == (request.param == "memory")
    return found


def test_folders_are_listed_one_by_one_in_order_with_sizes(place: Place) -> None:
    again = pickle.loads(pickle.dumps(place))  # noqa: S301
    assert list(again.folders()) == [Folder("", {"a.txt": 1, "b.txt": 2}), Folder("c", {"d e.txt": 3})]
    assert again.sizes("c")["d e.txt"] == 3
    assert again.sizes("nowhere") == {}


def test_files_are_got_and_put_whole(place: Place, tmp_path: Path) -> None:
    with place.fetched("c/d e.txt") as path:
        assert (path.name, path.read_bytes()) == ("d e.txt", b"ddd")
    made = tmp_path / "made"
    made.write_bytes(b"new")
    place.put(made, "e/f.txt", overwrite=False)
    assert place.sizes("e") == {"f.txt": 3}
    with pytest.raises(OutputError, match="exists already"):
        place.put(made, "a.txt", overwrite=False)
    assert place.sizes("")["a.txt"] == 1
    place.put(made, "a.txt", overwrite=True)
    assert place.sizes("")["a.txt"] == 3
    place.remove("a.txt")
    place.remove("a.txt")
    assert "a.txt" not in place.sizes("")


def test_a_result_that_is_given_up_is_not_put(place: Place) -> None:
    if place.local is not None:
        return  # there who writes sees to it
    with pytest.raises(KeyboardInterrupt), place.receiving("x.txt", overwrite=False) as path:
        path.write_bytes(b"half")
        raise KeyboardInterrupt
    assert "x.txt" not in place.sizes("")


def test_one_file_is_a_folder_of_one(place: Place) -> None:
    assert list(place_of(place.name("b.txt")).folders()) == [Folder("", {"b.txt": 2})]


def test_where_a_put_can_stop_half_way_the_name_comes_last(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "WHOLE", frozenset())
    made, seen = tmp_path / "made", list[str]()
    made.write_bytes(b"new")
    put, place = memory.put_file, place_of("memory://out")

    def half(local: str, remote: str, **_: object) -> None:
        seen.append(remote)
        memory.pipe_file(remote, b"n")
        raise OSError("the line is dead")

    monkeypatch.setattr(type(memory), "put_file", staticmethod(half))
    with pytest.raises(OutputError, match=r"memory://out/x\.txt: cannot be written: the line is dead"):
        place.put(made, "x.txt", overwrite=False)
    assert seen
    assert not seen[0].endswith("x.txt")
    assert memory.find("/out") == []
    monkeypatch.setattr(type(memory), "put_file", staticmethod(put))
    place.put(made, "x.txt", overwrite=False)
    assert memory.find("/out") == ["/out/x.txt"]


def test_what_is_not_there_is_said(tmp_path: Path, memory: Any) -> None:
    for root in (tmp_path / "nowhere", "memory://nowhere"):
        with pytest.raises(MediaError, match="nowhere: there is no such file or folder"):
            list(place_of(str(root)).folders())


def test_what_cannot_be_opened_is_one_sentence() -> None:
    with pytest.raises(MediaError, match="nonsense://x: cannot be opened"):
        place_of("nonsense://x")
    with pytest.raises(MissingPackageError, match="a package for such URLs is missing"):
        place_of("sftp://nowhere/x")  # paramiko
    with pytest.raises(MediaError, match="cannot be got"), place_of("memory://nothing").fetched("nothing.png"):
        pass
