"""Results appear whole or not at all, and never over a file that was there."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vqc.atomic import atomic_file, check_target, fitting_name, write_atomically
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
    with pytest.raises(OutputError, match="made this file meanwhile"), atomic_file(target) as file:
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


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_of_many_that_write_one_target_exactly_one_says_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    for attempt in range(20):
        target, ready = tmp_path / f"{attempt}.bin", threading.Barrier(6)

        def write(number: int, target: Path = target, ready: threading.Barrier = ready) -> int | None:
            try:
                with atomic_file(target) as file:
                    file.write(bytes([number]) * 1000)
                    ready.wait(10)  # all have found the name free
                return number
            except OutputError:
                return None

        with ThreadPoolExecutor(6) as pool:
            said = [number for number in pool.map(write, range(6)) if number is not None]
        assert len(said) == 1
        assert target.read_bytes() == bytes(said) * 1000
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_replaced_file_keeps_its_permissions_all_the_time(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    target.chmod(mode)
    with atomic_file(target, overwrite=True) as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == mode | 0o600
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("letter", ["a", "ж", "写", "🖼"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, letter: str) -> None:
    target = tmp_path / (letter * (251 // len(letter.encode())) + ".vqc")
    write_atomically(target, b"whole")
    assert target.read_bytes() == b"whole"
    long = fitting_name(letter * 200, ".restored.png")
    assert long.endswith(f"{letter}.restored.png")
    assert len(letter.encode()) * 200 < 242 or 255 - len(letter.encode()) < len(long.encode()) <= 255


def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "a/x.bin", "x" * 300):
        with pytest.raises(OutputError, match="choose another output"):
            write_atomically(tmp_path / name, b"", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
