"""Results appear whole or not at all, and never over a file that was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vqc.atomic import atomic_file, check_target, write_atomically
from vqc.errors import OutputError


def test_the_target_is_there_only_after_the_block(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_file(target) as file:
        file.write(b"half")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ValueError])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_interrupted_block_leaves_everything_as_it_was(
    tmp_path: Path, interruption: type[BaseException], before: bytes | None
) -> None:
    target = tmp_path / "out.bin"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(interruption), atomic_file(target, overwrite=True) as file:
        file.write(b"half")
        raise interruption
    assert (target.read_bytes() if target.exists() else None) == before
    assert len(list(tmp_path.iterdir())) == (before is not None)


def test_an_existing_target_is_refused_unless_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    write_atomically(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"


def test_a_target_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="exists already"), atomic_file(target) as file:
        file.write(b"mine")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_folders_are_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        check_target(tmp_path / "missing" / "out.bin")
    with pytest.raises(OutputError, match="a folder has this name"):
        check_target(tmp_path, overwrite=True)


def test_a_link_stays_a_link_and_new_files_have_ordinary_permissions(tmp_path: Path) -> None:
    real, link, plain = tmp_path / "real.bin", tmp_path / "link.bin", tmp_path / "plain.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_atomically(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    plain.touch()
    assert (real.stat().st_mode & 0o777) == (plain.stat().st_mode & 0o777)


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_atomically(os.devnull, b"gone", overwrite=True)
    assert not Path(os.devnull).is_file()


def test_errors_of_reading_something_else_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "out.bin"):
        (tmp_path / "missing").read_bytes()
    assert not list(tmp_path.iterdir())
