"""What the driver of a cluster takes for each file and each shard, and what follows for 10^8 files and 1,000 workers.

    python scripts/cluster_limits.py [--no-ray]

Measures on this machine: planning a file, holding a folder's names, a task there and back with two workers that do
nothing (of single files, and of as many as a task may have), naming a shard, and a shard's index. Then it computes.
"""

from __future__ import annotations

import pickle
import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from vqc.archive.shards import _named
from vqc.cli.collection import Tally, list_items
from vqc.cli.compress import MEDIA_SUFFIXES
from vqc.cli.outputs import Naming
from vqc.cli.plan import Conversion
from vqc.format.archive import Item, write_items
from vqc.format.shapes import ImageShape
from vqc.scheduling import ray_cluster, scheduler
from vqc.scheduling.scheduler import map_unordered
from vqc.scheduling.workers import LOCAL, Workers
from vqc.storage.places import Folder, Place

FILES, WORKERS, SECONDS_A_FILE = 10**8, 1000, 0.1
A_FOLDER = 100_000
WANTED = Conversion(
    suffixes=MEDIA_SUFFIXES, sought="images", suffix_of=lambda source: ".vqc", naming=Naming(MEDIA_SUFFIXES)
)


def planning() -> tuple[float, float]:
    """Seconds a file to list and plan, without the store; bytes a file of one folder that is held."""
    names = {f"{number:012}.png": 100_000 for number in range(A_FOLDER)}

    class Listed(Place):
        def folders(self, say: object = None) -> Iterator[Folder]:
            yield Folder("", names)

        def sizes(self, below: str) -> dict[str, int]:
            return {}

    begin = time.perf_counter()
    for _ in list_items(Listed("memory://in"), Listed("memory://out"), WANTED, (".vqc",), "skip", Tally()):
        pass
    seconds = (time.perf_counter() - begin) / A_FOLDER
    tracemalloc.start()
    names = {f"{number:012}.png": 100_000 for number in range(A_FOLDER)}
    for _ in list_items(Listed("memory://in"), Listed("memory://out"), WANTED, (".vqc",), "skip", Tally()):
        pass
    held = tracemalloc.get_traced_memory()[1] / A_FOLDER
    tracemalloc.stop()
    return seconds, held


def nothing(item: str) -> str:
    """What workers do here."""
    return item


def task(count: int, largest: int) -> float:
    """Seconds a task, of so many items, there and back."""
    items, begin, done = (f"folder/{number:012}.png" for number in range(count)), 0.0, 0
    with patch.object(scheduler, "GROWTH", 1), patch.object(ray_cluster.RayActors, "largest", largest):
        for _ in map_unordered(nothing, items, Workers(2, LOCAL)):
            begin = begin or time.perf_counter()
            done += 1
    return (time.perf_counter() - begin) / (done / largest)


def waiting(ray: Any) -> float:
    """Seconds that it takes to find which of a thousand tasks is done."""
    never = ray.remote(resources={"what nobody has": 1})(nothing)
    refs = [never.remote("") for _ in range(WORKERS)]
    rounds = 20
    begin = time.perf_counter()
    for _ in range(rounds):
        tasks = [ray.put(""), *refs]
        ray.wait(tasks, num_returns=1)
        ray.wait(tasks, num_returns=len(tasks), timeout=0)
    return (time.perf_counter() - begin) / rounds


def shard(count: int = 10_000) -> tuple[float, float]:
    """Seconds to name a shard of so many files; bytes of a task that makes one."""
    files = [(f"folder/{number:012}.png", 100_000) for number in range(count)]
    begin = time.perf_counter()
    made = _named(0, files, b"header")
    seconds = time.perf_counter() - begin
    return seconds, len(pickle.dumps(made))


def directories() -> float:
    """Bytes that an archive takes for each item beside its codes."""
    shape = ImageShape(width=32, height=32)
    items = [Item(f"folder/{number:012}.png", "folder", shape, b"12345678") for number in range(256)]
    return len(write_items(items)) / len(items) - 8


def main() -> None:
    warnings.simplefilter("ignore")
    planned, held = planning()
    named, task_bytes = shard()
    print(f"planning a file: {1e6 * planned:.1f} µs; a name of a folder that is held: {held:.0f} bytes")
    print(f"naming a shard of 10,000 files: {1e3 * named:.1f} ms; its task: {task_bytes / 1e6:.2f} MB")
    print(f"an item of an archive beside its codes: {directories():.1f} bytes")
    alone = together = crowd = float("nan")
    if "--no-ray" not in sys.argv:
        ray, _ = ray_cluster.connect(Workers(2, LOCAL), threads=1)
        alone, together, crowd = task(2000, 1), task(1000 * ray_cluster.LARGEST, ray_cluster.LARGEST), waiting(ray)
        print(
            f"a task there and back: {1e3 * alone:.2f} ms of one file, {1e3 * together:.2f} ms of {ray_cluster.LARGEST}"
        )
        print(f"which of {WORKERS:,} tasks is done: {1e3 * crowd:.2f} ms")
    a_file, a_shard = planned + together / ray_cluster.LARGEST, named + alone + 10_000 * planned
    work = FILES * SECONDS_A_FILE / WORKERS
    print(f"\n{FILES:,} files, {WORKERS:,} workers, {SECONDS_A_FILE} s a file: {work / 3600:.1f} h of work")
    print(
        f"  as files: the driver is busy {FILES * a_file / 3600:.1f} h of it; at most {1 / a_file:,.0f} files a second:"
    )
    print(f"    too slow for {WORKERS:,} workers when a file takes less than {1e3 * WORKERS * a_file:.0f} ms")
    print(f"  as shards: {FILES / 10_000 * a_shard / 3600:.1f} h, nearly all of it planning")
    share = crowd / (ray_cluster.LARGEST * SECONDS_A_FILE)
    print(f"  to look for what is done takes {share:.2%} of the time of a task")
    print(f"  memory of the driver: {WORKERS * task_bytes / 1e9:.2f} GB of shards in flight")
    print(f"    and {1e6 * held / 1e9:.2f} GB for a folder of 10^6 files")


if __name__ == "__main__":
    main()
