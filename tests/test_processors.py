"""How many processors there are to use, and that torch's threads are told so before they begin."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

import vqc
from vqc import processors
from vqc.cli.app import app
from vqc.errors import OptionError

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _nothing_said(_threads_as_before: None) -> None:
    for name in (*processors.COUNTS, *processors.WAITING):
        os.environ.pop(name, None)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/", {"cpu.max": "max 100000\n"}, None),
        ("0::/", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/", {}, None),
        ("0::/a/b", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b", {"a/b/cpu.max": "200000 100000\n", "a/cpu.max": "300000 100000\n"}, 2.0),
        ("0::/docker/1f", {"cpu.max": "50000 100000\n"}, 0.5),  # seen from inside the container
        ("4:cpu,cpuacct:/\n0::/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ("1:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("7:cpuset:/", {"cpuset/cpu.cfs_quota_us": "100000\n", "cpuset/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/", {"cpu.max": "none of it\n"}, None),
        ("what is this", {"cpu.max": "x\n"}, None),
    ],
)
def test_the_quota_of_a_container(own: str, files: dict[str, str], limit: float | None, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    write(tmp_path / "self", own + "\n")
    for name, text in files.items():
        write(groups / name, text)
    assert processors._quota(groups, tmp_path / "self") == limit


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert processors._quota(tmp_path, tmp_path / "missing") is None


@pytest.mark.parametrize(("quota", "count"), [(None, 8), (1.5, 2), (0.2, 1), (64.0, 8)])
def test_affinity_and_quota_count_both(quota: float | None, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_affinity", lambda: 8)
    monkeypatch.setattr(processors, "_quota", lambda: quota)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processors.available() == processors.threads() == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is set otherwise here")
def test_affinity_is_that_of_the_process() -> None:
    one = min(os.sched_getaffinity(0))
    program = f"import os; os.sched_setaffinity(0, [{one}]); from vqc.processors import available; print(available())"
    assert subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True) == "1\n"


def test_workers_share_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available", lambda: 8)
    assert [processors.share(workers) for workers in (1, 3, 20)] == [8, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")  # the user's own, and of each process
    assert processors.share(4) == 3
    vqc.set_threads(6)
    assert [processors.share(workers) for workers in (1, 3, 20)] == [6, 2, 1]


def test_threads_of_torch_are_those_asked_for() -> None:
    for count in (2, 1):
        vqc.set_threads(count)
        assert torch.get_num_threads() == count
        assert processors.threads() == count


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_numbers_that_cannot_be_are_refused(count: int) -> None:
    with pytest.raises(OptionError, match=f"{count} threads cannot be; give a whole number, 1 or more"):
        vqc.set_threads(count)


def test_the_command_lets_threads_spin_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "available", lambda: processors._affinity())
    processors.prepare()
    assert os.environ["GOMP_SPINCOUNT"] == "0"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("name", processors.WAITING)
def test_what_the_user_says_of_waiting_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    processors.prepare()
    assert {n: os.environ[n] for n in processors.WAITING if n in os.environ} == {name: "7"}


def test_a_quota_limits_the_threads_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_affinity", lambda: 8)
    monkeypatch.setattr(processors, "_quota", lambda: 2.5)
    processors.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    processors.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "5", "the user's own"


def test_the_runtime_hears_of_it() -> None:
    """GNU's OpenMP prints its settings when it is loaded."""
    environment = {**os.environ, "OMP_DISPLAY_ENV": "VERBOSE"}
    arguments = [sys.executable, "-m", "vqc", "compress", str(ROOT / "examples" / "photo.jpg"), "-o", "-"]
    arguments += ["-m", str(ROOT / "tests/golden/image.safetensors"), "--entropy", "none", "--threads", "3"]
    run = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, check=True)
    said = run.stderr.decode()
    if "GOMP_SPINCOUNT" not in said:
        pytest.skip("torch has another OpenMP here")
    assert "GOMP_SPINCOUNT = '0'" in said
    assert "OMP_NUM_THREADS = '3'" in said


def test_nothing_counts_the_processors_of_the_machine() -> None:
    for path in (ROOT / "vqc").rglob("*.py"):
        assert path.name == "processors.py" or "cpu_count" not in path.read_text(encoding="utf-8"), path


def commands_with(option: str) -> Iterator[str]:
    """Names of the commands that have an option."""

    def below(command: Any, name: str) -> Iterator[str]:
        if any(option in parameter.opts for parameter in command.params):
            yield name
        for word, each in getattr(command, "commands", {}).items():
            yield from below(each, f"{name} {word}".strip())

    yield from below(typer.main.get_command(app), "")


def test_every_command_that_computes_takes_threads() -> None:
    computing = {
        *commands_with("--device"),
        *commands_with("--jobs"),
        "verify",
        "info",
        "eval phonemes",
        "train export",
    }
    assert len(computing) > 10
    assert computing <= set(commands_with("--threads"))


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "malloc_trim"), reason="of GNU's library alone")
def test_gaps_of_the_heap_are_given_back() -> None:
    code = """
import resource, sys
from vqc.processors import give_back_memory
def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
pieces = [bytearray(60_000) for _ in range(1000)]
kept = pieces[::100]
del pieces
before = held()
give_back_memory()
assert before - held() > 40e6, (before, held())
assert all(len(piece) == 60_000 for piece in kept)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
