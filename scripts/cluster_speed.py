"""Many small files by one worker of a Ray cluster, by two, and by two jobs: how fast, and are the bytes the same.

    python scripts/cluster_speed.py [FILES] [MODEL] [WHO]    200 photos of 384 x 256, model photo, jobs,two,one

A clock runs from when all workers are up (have loaded torch and the model and made a file) until the last result has
come. Bars: two workers at least 1.7 times as fast as one; at most 10 % more time a file than --jobs 2.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench_tools import photo_of
from PIL import Image

from vqc.cli.batch import Outcome
from vqc.cli.collection import ConvertItem, Item
from vqc.cli.compress import CompressFile, CompressOptions
from vqc.codec.rate import Rate
from vqc.processors import set_threads
from vqc.scheduling import ray_cluster
from vqc.scheduling.scheduler import map_unordered
from vqc.scheduling.workers import LOCAL, Workers
from vqc.storage.places import Place


class Done(NamedTuple):
    """A result, and the process that made it."""

    process: int
    seconds: float  # of a processor, that it has taken so far
    outcome: Outcome


@dataclass(frozen=True)
class Work:
    """Compress a file, and say who did."""

    convert: ConvertItem

    def __call__(self, item: Item) -> Done:
        outcome = self.convert(item)
        return Done(os.getpid(), time.process_time(), outcome)


def make_photos(folder: Path, count: int) -> None:
    """Different parts of a photo."""
    folder.mkdir()
    pixels = np.asarray(photo_of(1200, 800))
    for i in range(count):
        y, x = 7 * i % 500, 11 * i % 800
        Image.fromarray(pixels[y : y + 256, x : x + 384]).save(folder / f"{i}.png")


def seconds_of(workers: Workers, photos: Path, out: Path, model: str) -> tuple[float, float]:
    """Seconds to compress all, once every worker is up; and seconds of processors, of workers and this process."""
    options = CompressOptions(inputs=[str(photos)], model=model)
    work = Work(ConvertItem(Place(str(photos)), Place(str(out)), CompressFile(options, Rate())))
    names, begin, own = [path.name for path in photos.iterdir()], 0.0, 0.0
    up, last = dict[int, float](), dict[int, float]()

    def items() -> Iterator[Item]:
        nonlocal begin, own
        while len(up) < (workers.jobs or 1):
            yield Item(names[0], "warm", replace=True)
        up.update(last)
        begin, own = time.perf_counter(), time.process_time()
        for name in names:
            yield Item(name, Path(name).stem, replace=False)

    for _, done in map_unordered(work, items(), workers):
        assert not done.outcome.problem, done.outcome.problem
        up.setdefault(done.process, done.seconds)
        last[done.process] = done.seconds
    spent = sum(last[process] - up[process] for process in up) + time.process_time() - own
    return time.perf_counter() - begin, spent


WHO = {"jobs": Workers(2), "two": Workers(2, LOCAL), "one": Workers(1, LOCAL)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    model = sys.argv[2] if len(sys.argv) > 2 else "photo"
    chosen = sys.argv[3].split(",") if len(sys.argv) > 3 else list(WHO)
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    taken = dict[str, tuple[float, float]]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder / "photos", count)
        for who in chosen:
            set_threads(2 if who == "jobs" else 1)  # jobs share them, a worker of the cluster has its own
            if who != "jobs":
                ray_cluster.connect(WHO["two"], threads=1)
            taken[who] = seconds_of(WHO[who], folder / "photos", folder / who, model)
            wall, spent = taken[who]
            print(f"{who}: {wall:.2f} s, {1000 * wall / count:.1f} ms a file; processors {spent:.2f} s", flush=True)
        made = [{path.name: path.read_bytes() for path in (folder / who).iterdir()} for who in chosen]
    if taken.keys() >= {"one", "two"}:
        print(f"two workers are {taken['one'][0] / taken['two'][0]:.2f} times as fast as one (bar: 1.7)")
    if taken.keys() >= {"jobs", "two"}:
        more = [100 * (of_ray / of_jobs - 1) for of_ray, of_jobs in zip(taken["two"], taken["jobs"], strict=True)]
        print(f"a file takes {more[0]:+.1f} % of the time with --jobs 2 more (bar: 10 %)")
        print(f"of processors it takes {more[1]:+.1f} % more, whatever else the machine does")
    assert all(one == made[0] for one in made), "the bytes differ"
    print("the bytes are the same")


if __name__ == "__main__":
    main()
