"""What a killed process left is removed by the next one in that folder, and nothing that is being written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vqc import partials
from vqc.atomic import atomic_file, write_atomically
from vqc.partials import SUFFIX, cut, make_partial, sweep

ROOT = Path(__file__).parent.parent
WRITER = """
import sys
from vqc.atomic import atomic_file
with atomic_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("begun", flush=True)
    sys.stdin.read()
"""


def partial_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(SUFFIX)]


def test_the_next_run_removes_what_a_killed_process_left_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for name in ("killed.bin", "living.bin")
    ]
    killed, living = writers
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"begun\n"
        killed.kill()
        killed.wait()
        assert len(partial_files(tmp_path)) == 2
        partials.sweep_once.cache_clear()  # this process has not written here yet
        write_atomically(tmp_path / "next.bin", b"whole")
        (left,) = partial_files(tmp_path)
        assert left.name.startswith(".living.bin.")
        living.communicate(b"")
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["living.bin", "next.bin"]
    assert (tmp_path / "living.bin").read_bytes() == b"half"


def test_the_own_file_is_safe_from_a_sweep_to_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Path.hardlink_to

    def swept(self: Path, target: Path) -> None:
        sweep(tmp_path)
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", swept)
    with atomic_file(tmp_path / "out.bin") as file:
        sweep(tmp_path)
        file.write(b"whole")
    assert (tmp_path / "out.bin").read_bytes() == b"whole"


def test_a_file_swept_away_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = partials._lock, []

    def late(descriptor: int) -> bool | None:
        calls.append(descriptor)
        if len(calls) == 1:
            for path in partial_files(tmp_path):
                path.unlink()
        return lock(descriptor)

    monkeypatch.setattr(partials, "_lock", late)
    path, file = make_partial(tmp_path / "out.bin")
    with file:
        assert path.exists()
    assert len(calls) == 2


def test_files_of_another_machine_and_of_strangers_stay(tmp_path: Path) -> None:
    foreign = tmp_path / f".a.png.{'0' * 8}-{'1' * 12}{SUFFIX}"
    stranger, plain = tmp_path / f".a.png{SUFFIX}", tmp_path / "a.png.part"
    for path in (foreign, stranger, plain):
        path.touch()
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    long_ago = time.time() - 3 * 24 * 3600
    for path in (foreign, stranger, plain):
        os.utime(path, (long_ago, long_ago))
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([stranger.name, plain.name])


def test_a_folder_that_is_not_there_has_nothing_to_sweep(tmp_path: Path) -> None:
    sweep(tmp_path / "missing")


def test_names_are_cut_between_letters() -> None:
    assert cut("photo.png", 100) == "photo.png"
    assert cut("写" * 50, 100) == "写" * 33
    assert cut("🖼" * 50, 101) == "🖼" * 25
