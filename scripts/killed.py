"""Kill `vqc compress FOLDER --jobs 2` at many moments: nothing may be broken, nobody may be left behind.

    python scripts/killed.py [MOMENTS] [SIGNAL]        60 moments and KILL if left out; needs no trained model

Each time the parent alone is killed, at another moment of the run, the first of them before its workers are up. Then
all processes must be gone soon (each holds the pipes that are read here), every result must be whole, and the next run
with --skip-existing must do what is left, and leave no partial file.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "tests/golden/image.safetensors"
FILES = 12
PATIENCE_SECONDS = 60.0  # for workers to notice; a busy machine is slow


class Reporting:
    """A process that says what it has done, to be killed: forked from one that has loaded the program.

    Args:
        work: called with what takes the sentences, and with the arguments.
    """

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["vqc.archive.create", "ray"])  # what takes long; without Ray the first alone
        self._heard, said = forks.Pipe(duplex=False)
        self.process = forks.Process(target=_say, args=(said, work, arguments))
        self.process.start()
        said.close()  # so that its end is heard

    def __iter__(self) -> Iterator[str]:
        """What it says, until it is over."""
        try:
            while True:
                yield self._heard.recv()
        except (EOFError, OSError):
            self.process.join()


def _say(said: Any, work: Callable[..., object], arguments: Sequence[object]) -> None:
    work(said.send, *arguments)


def make_photos(folder: Path, count: int = FILES, side: int = 600) -> None:
    """Pictures of noise, which take a while."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(count):
        coarse = generator.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(4, 0).repeat(4, 1)).save(folder / f"{index:02}.png", compress_level=1)


def compressing(photos: Path, results: Path, *options: str) -> subprocess.Popen[bytes]:
    """The command, with its output in one pipe that its workers hold as well."""
    command = [sys.executable, "-m", "vqc", "compress", str(photos), "-o", f"{results}/", "-m", str(MODEL)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--jobs", "2", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[bytes], patience: float | None = None) -> bytes:
    """What it has printed, once it and its workers are gone; AssertionError when somebody stays longer."""
    try:
        return process.communicate(timeout=patience)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError("a process was left behind") from None


def contents(folder: Path) -> dict[str, bytes]:
    """Names and bytes of the files in a folder, if it is there."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def unbroken(left: dict[str, bytes], whole: dict[str, bytes]) -> list[str]:
    """Names of the results among files that were left; AssertionError when one is not whole."""
    done = [name for name in left if not name.startswith(".")]
    assert all(whole[name] == left[name] for name in done), "a result is broken"
    return done


def kill_after(seconds: float, photos: Path, results: Path, whole: dict[str, bytes], sent: signal.Signals) -> str:
    """Kills a run after so long, and looks at what it left; says in what state it was met."""
    process = compressing(photos, results)
    time.sleep(seconds)
    process.send_signal(sent)
    finished(process, PATIENCE_SECONDS)
    left = contents(results)
    done = unbroken(left, whole)
    after = compressing(photos, results, "--skip-existing", "--quiet", "--jobs", "1")
    said = finished(after)
    assert (after.returncode, said) == (0, b""), f"the next run fails after {seconds:.2f} s: {said!r}"
    assert contents(results) == whole, f"the next run leaves something else after {seconds:.2f} s"
    return f"{seconds:5.2f} s: {len(done)} of {len(whole)} files, {len(left) - len(done)} partial"


def kill_often(moments: int, folder: Path, sent: signal.Signals = signal.SIGKILL) -> Sequence[str]:
    """Kills runs at so many moments, spread evenly over one; a line about each."""
    photos, results = folder / "photos", folder / "results"
    make_photos(photos)
    begin = time.perf_counter()
    undisturbed = compressing(photos, results, "--quiet")
    said = finished(undisturbed)
    assert (undisturbed.returncode, said) == (0, b""), said
    length, whole = time.perf_counter() - begin, contents(results)
    lines = []
    for moment in range(moments):
        shutil.rmtree(results)
        lines.append(kill_after(length * (moment + 0.5) / moments, photos, results, whole, sent))
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    chosen = signal.Signals[f"SIG{sys.argv[2]}"] if len(sys.argv) > 2 else signal.SIGKILL
    with tempfile.TemporaryDirectory() as name:
        kill_often(count, Path(name), chosen)
    print(f"{count} times {chosen.name}: nothing broken, nobody left behind")
