"""Times beside those of an earlier commit: `scripts/bench --against OLD_PYTHON`.

Both are measured in the same run, one after the other again and again, and their medians are compared: what else the
machine does meets both. OLD_PYTHON is an interpreter whose environment has the other commit, for example::

    git worktree add --detach OLD 2799150
    printf '#!/bin/sh\\nPYTHONPATH=OLD exec python "$@"\\n' >old-python; chmod +x old-python
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from bench_tools import photo_of, run, seconds, seconds_and_peak
from PIL import Image

CHILD = Path(__file__).with_name("bench_child.py")
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
BUSY = 4  # processes beside
SHORT_SPIN = {"GOMP_SPINCOUNT": "0"}  # as the command has it


class Comparison(NamedTuple):
    """One line of the result."""

    what: str
    before: float | None  # at the other commit, where it is compared
    now: float
    unit: str
    sense: Literal["≥", "≤"]
    bar: float  # of `now`, or of the ratio

    @property
    def ratio(self) -> float | None:
        return None if self.before is None else self.now / self.before

    @property
    def met(self) -> bool:
        value = self.now if self.ratio is None else self.ratio
        return value >= self.bar if self.sense == "≥" else value <= self.bar

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"ratio": self.ratio, "met": self.met}

    def __str__(self) -> str:
        before = "" if self.before is None else f"{self.before:.3f}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.what:56} {before:>8} {self.now:8.3f} {self.unit:3} {ratio:>6} {self.sense} {self.bar:<5g} {verdict}"
        )


class Child:
    """A process that keeps its models loaded and times what it is told."""

    def __init__(self, python: str, variables: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [python, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | variables
        )

    def seconds(self, *task: Any) -> tuple[float, float]:
        """Wall and processor seconds of a task."""
        assert self.process.stdin is not None, "it is a pipe"
        assert self.process.stdout is not None, "so is this"
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        wall, processor = json.loads(self.process.stdout.readline() or sys.exit("a child has failed"))
        return wall, processor

    def close(self) -> None:
        self.process.communicate()


@contextmanager
def children(pythons: Sequence[str], variables: dict[str, str]) -> Iterator[list[Child]]:
    found = [Child(python, variables) for python in pythons]
    try:
        yield found
    finally:
        for child in found:
            child.close()


def in_process(old: str, runs: int) -> Iterator[Comparison]:
    """Both ways of prior, photo and speech, with models that are loaded."""
    photo = [(way, "photo", q) for way in ("decompress", "compress") for q in (1, 6, 8)]
    bars = {"decompress": 0.45, "compress": 0.5}
    named = [
        *((("read", 6), "prior alone, photo 768 x 512 q6, read", 0.35), (("write", 6), "the same, write", 0.35)),
        *((task, f"photo 768 x 512 q{task[2]}, {task[0]}", bars[task[0]]) for task in photo),
        *(((way, "speech", 5), f"speech 20 s q5, {way}", 0.5) for way in ("decompress", "compress")),
    ]
    with children((old, sys.executable), SHORT_SPIN) as pair:
        yield from compared(pair, named, runs)
    held_back = [(task, f"the same q{task[2]}, {task[0]}, AVX2", 0.75) for task in photo]
    with children((old, sys.executable), SHORT_SPIN | AVX2) as pair:
        yield from compared(pair, held_back, runs)


def compared(pair: Sequence[Child], named: Sequence[tuple[Any, str, float]], runs: int) -> Iterator[Comparison]:
    """Median wall seconds of each task in both."""
    for task, what, bar in named:
        for child in pair:
            child.seconds(*task)
        rounds = [[child.seconds(*task)[0] for child in pair] for _ in range(runs)]
        before, now = map(statistics.median, zip(*rounds, strict=True))
        yield Comparison(what, before, now, "s", "≤", bar)


def busy(old: str, runs: int) -> Iterator[Comparison]:
    """Processor time of restoring a photo alone, and beside other processes."""
    task = ("decompress", "photo", 6)
    with children([sys.executable], SHORT_SPIN) as (child,):
        child.seconds(*task)
        alone = statistics.median(child.seconds(*task)[1] for _ in range(runs))
        with others():
            beside = statistics.median(child.seconds(*task)[1] for _ in range(runs))
    yield Comparison(f"decompress beside {BUSY} busy processes, in processor time", alone, beside, "s", "≤", 1.3)


@contextmanager
def others() -> Iterator[None]:
    """Keep some processes busy."""
    with ExitStack() as stack:
        for _ in range(BUSY):
            stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
        time.sleep(1)
        yield


def large(old: str, runs: int) -> Iterator[Comparison]:
    """The commands on a photo of 24 megapixels."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "photo.jpg")
        photo_of(6000, 4000).save(source, quality=92)
        for way in ("compress", "decompress"):
            taken = [[large_run(python, way, source) for python in (old, sys.executable)] for _ in range(runs)]
            (before, _), (now, peak) = (
                [statistics.median(v) for v in zip(*of, strict=True)] for of in zip(*taken, strict=True)
            )
            yield Comparison(f"photo 6000 x 4000, {way}", before, now, "s", "≤", 0.45)
            yield Comparison(f"photo 6000 x 4000, {way}, peak memory", None, peak / 1e9, "GB", "≤", 1.2)


def large_run(python: str, way: str, photo: Path) -> tuple[float, float]:
    """Wall seconds and peak bytes; each interpreter has files of its own."""
    packed = photo.with_name(f"{abs(hash(python))}.vqc")
    source, target = (photo, packed) if way == "compress" else (packed, packed.with_suffix(".png"))
    return seconds_and_peak(python, "-m", "vqc", way, source, "-o", target, "--force", "--quiet")


def startup(old: str, runs: int) -> Iterator[Comparison]:
    """Processor seconds of the commands on a small picture above those of importing torch."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    with tempfile.TemporaryDirectory() as name:
        photo_of(96, 64).save(Path(name, "small.png"))
        for way in ("compress", "decompress"):
            rounds = [[above_torch(python, way, name) for python in (old, sys.executable)] for _ in range(runs + 1)][1:]
            before, now = map(statistics.median, zip(*rounds, strict=True))
            what = f"vqc {way} of 96 x 64 pixels, above import torch (was {before:.2f} s)"
            yield Comparison(what, None, now, "s", "≤", 0.35)


def above_torch(python: str, way: str, folder: str) -> float:
    packed = Path(folder, f"{abs(hash(python))}.vqc")
    small = Path(folder, "small.png")
    source, target = (small, packed) if way == "compress" else (packed, packed.with_suffix(".png"))
    whole = processor_seconds(python, "-m", "vqc", way, source, "-o", target, "--force", "--quiet")
    return whole - processor_seconds(python, "-c", "import torch")


def processor_seconds(*command: str | Path) -> float:
    """User and system time of a command; not in this folder, whose package would come before that of a path."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(*command, cwd=tempfile.gettempdir())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def jobs(old: str, runs: int, count: int = 200) -> Iterator[Comparison]:
    """A folder of photos with two jobs, how many times as fast as with one."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "photos")
        source.mkdir()
        pixels = np.asarray(photo_of(1200, 800))
        for i in range(count):
            y, x = 7 * i % 500, 11 * i % 800
            Image.fromarray(pixels[y : y + 256, x : x + 384]).save(source / f"{i}.png")
        command = [sys.executable, "-m", "vqc", "compress", source, "-o", f"{name}/out/", "--force", "--quiet"]
        one, two = (seconds(lambda n=n: run(*command, "--jobs", n)) for n in ("1", "2"))
        what = f"{count} photos of 384 x 256, --jobs 2 against 1 ({one:.1f} s, {two:.1f} s)"
        yield Comparison(what, None, one / two, "x", "≥", 1.7)


PARTS = {"in-process": in_process, "busy": busy, "startup": startup, "large": large, "jobs": jobs}


def against(old: str, runs: int, parts: Sequence[str] = ()) -> Iterator[Comparison]:
    """Everything, or some of PARTS."""
    for name in parts or PARTS:
        yield from PARTS[name](old, runs)
