"""Ctrl-C, a reader that goes away: nothing is left behind, nobody sees a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# Two jobs for two worker processes; each begins its file and would then take a minute.
SLOW_BATCH = """
import sys, time
from pathlib import Path
from vqc.cli.batch import run_plan
from vqc.cli.listing import Job, Plan, Source

def work(source, target, progress):
    target.touch()
    try:
        time.sleep(60)
    except BaseException:
        target.unlink()
        raise

if __name__ == "__main__":
    here = Path(sys.argv[1])
    jobs = [Job(Source(here / name, Path(name), name), here / "out" / name, "") for name in ("a", "b", "c")]
    try:
        run_plan(Plan(jobs), work, "Sleeping", workers=2, quiet=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def start(arguments: list[str], folder: Path, **options: int) -> subprocess.Popen[bytes]:
    """A Python program with its own process group, and temporary files in `folder`."""
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
        **options,
    )


def wait_until(condition: Callable[[], object]) -> None:
    """Waits for a condition, but not for ever."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("whole_group", [True, False], ids=["from the terminal", "to the parent alone"])
def test_ctrl_c_stops_worker_processes_and_what_they_began(tmp_path: Path, whole_group: bool) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW_BATCH)
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    process = start([str(script), str(tmp_path)], tmp_path)
    try:
        wait_until(lambda: len(list(tmp_path.glob("out/*"))) == 2)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_leaves_nothing(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    process = start(["-m", "vqc", "compress", "-", "-o", "x.vqc"], tmp_path, stdin=subprocess.PIPE)
    wait_until(lambda: list(tmp_path.glob("vqc-*/stdin")))
    process.send_signal(sent)
    process.wait(timeout=20)
    _, err = process.communicate()
    assert (process.returncode, err) == (code, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    process = start(["-m", "vqc", "models", "--json"], tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=20) in (0, 1)
