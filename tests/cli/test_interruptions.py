"""Ctrl-C, a closed terminal, a killed parent, a reader that goes away: nothing and nobody is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from forked import Program, command, command_with_nohup

ROOT = Path(__file__).parent.parent.parent

# Three jobs for two worker processes; each begins its file and would then take a minute. Whoever is at work holds a
# connection, which ends with the process.
SLOW_BATCH = """
import socket, sys, time
from pathlib import Path
from typing import Any
from vqc.cli.batch import run_plan
from vqc.cli.plan import Job, Plan
from vqc.cli.inputs import InputFile

def work(job, target, progress):
    global connection
    try:
        if len(sys.argv) > 2:
            connection = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        target.touch()
        for _ in range(1200):  # a signal between two lines would not end one long sleep
            time.sleep(0.05)
    except BaseException:
        target.unlink(missing_ok=True)
        raise

if __name__ == "__main__":
    import signal
    for sent in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, lambda number, _: sys.exit(128 + number))
    here = Path(sys.argv[1])
    jobs = [Job(InputFile(here / name, Path(name), name), here / "out" / name, "") for name in ("a", "b", "c")]
    try:
        run_plan(Plan(jobs), work, "Sleeping", workers=2, quiet=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


# Programs in the background are started with Ctrl-C ignored, those of nohup with SIGHUP, and perhaps this test is one.
LISTEN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)


@contextmanager
def started(arguments: list[str], folder: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program with its own process group, and temporary files in `folder`; killed at the end."""
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, *arguments],
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], object]) -> None:
    """Waits for a condition, but not for ever."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("whole_group", [True, False], ids=["from the terminal", "to the parent alone"])
def test_ctrl_c_stops_worker_processes_and_what_they_began(tmp_path: Path, whole_group: bool) -> None:
    script = tmp_path / "slow.py"
    script.write_text(LISTEN + SLOW_BATCH)
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    with started([str(script), str(tmp_path)], tmp_path) as process:
        wait_until(lambda: len(list(tmp_path.glob("out/*"))) == 2)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("whole_group", [True, False], ids=["the group", "the parent alone"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tmp_path: Path, sent: signal.Signals, whole_group: bool) -> None:
    if whole_group and sent == signal.SIGKILL:
        pytest.skip("that leaves nobody")
    script = tmp_path / "slow.py"
    script.write_text(LISTEN + SLOW_BATCH)
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = str(server.getsockname()[1])
        with started([str(script), str(tmp_path), port], tmp_path) as process:
            workers = [server.accept()[0] for _ in range(2)]
            wait_until(lambda: len(list(tmp_path.glob("out/*"))) == 2)
            (os.killpg if whole_group else os.kill)(process.pid, sent)
            for worker in workers:
                worker.settimeout(30)
                assert worker.recv(1) == b"", "the process has ended"
                worker.close()
            _, err = process.communicate(timeout=30)
    assert list(tmp_path.glob("out/*")) == [], "and has cleaned up"
    if sent != signal.SIGKILL:
        assert (process.returncode, err) == (128 + sent, b"")


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["int", "term", "hup"]
)
def test_an_interrupted_command_leaves_nothing(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    process = Program(command, "compress", "-", "-o", "x.vqc", folder=tmp_path, environment={"TMPDIR": str(tmp_path)})
    process.stdin.write(b"no sound that could be compressed as it comes")
    process.stdin.flush()
    wait_until(lambda: list(tmp_path.glob("vqc-*/stdin")))
    process.send_signal(sent)
    process.process.join(30)
    ended, _, err = process.ended()
    said = b"vqc: stopped; what was finished is kept, and nothing half-done is left\n" if sent == signal.SIGINT else b""
    assert (ended, err) == (code, said)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    with started(["-m", "vqc", "models", "--json"], tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) in (0, 1)


def test_nohup_is_respected(tmp_path: Path) -> None:
    arguments = ("decompress", "-", "-o", "x.png")
    process = Program(command_with_nohup, *arguments, folder=tmp_path, environment={"TMPDIR": str(tmp_path)})
    process.stdin.write(b"not the front of a file")
    process.stdin.flush()
    wait_until(lambda: list(tmp_path.glob("vqc-*/stdin")))
    process.send_signal(signal.SIGHUP)
    code, _, err = process.ended()
    assert code == 1
    assert err.startswith(b"vqc: standard input: ")
