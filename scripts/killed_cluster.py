"""Kill the driver or a worker of Ray runs at many moments: all that was reported done is there, and the rest follows.

    python scripts/killed_cluster.py [MOMENTS]        50 moments if left out; needs no trained model

Starts a cluster of two processors. Each time a program makes files, an archive, or shards with two workers, and says
what is done; then it, or a worker of it, is killed. Of a killed worker the program must make up for, with the bytes of
an undisturbed run; after a killed program what it reported must be whole, and the next run must do the rest.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from killed import MODEL, ROOT, make_photos
from ray.util import get_node_ip_address

from vqc.archive.create import ArchiveOptions, Source, archive_files
from vqc.archive.reader import Archive
from vqc.archive.shards import WriteShard, shards_of
from vqc.archive.verify import verify_archive
from vqc.cli.collection import ConvertItem, Item
from vqc.cli.compress import CompressFile, CompressOptions
from vqc.codec.rate import Rate
from vqc.models.files import zoo
from vqc.scheduling.scheduler import Retry, map_ordered, map_unordered
from vqc.scheduling.workers import Workers
from vqc.storage.places import Place

PICTURES = 24
MARK = "VQC_KILLED_CLUSTER"  # in the environment of all processes of the cluster
PROGRAM = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "scripts")!r}]
from killed_cluster import WRITE
WRITE[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
"""


def write_files(photos: Path, target: Path, address: str) -> None:
    """Make a file of each picture that has none."""
    options = CompressOptions(inputs=[], model=str(MODEL))
    work = ConvertItem(Place(str(photos)), Place(str(target)), CompressFile(options, Rate()))
    todo = [path for path in sorted(photos.iterdir()) if not (target / f"{path.stem}.vqc").exists()]
    again = Retry(afresh=lambda item: item._replace(replace=True))
    items = [Item(path.name, path.stem, replace=False) for path in todo]
    for _, outcome in map_unordered(work, items, Workers(2, address), again):
        assert not outcome.problem, outcome.problem
        print(f"{Path(outcome.name).stem}.vqc", flush=True)


def write_archive(photos: Path, target: Path, address: str) -> None:
    """Put the pictures into an archive that it does not have yet, two in a block."""
    from vqc.archive import create

    zoo.BUNDLED_FOLDER = MODEL.parent
    create.CHUNK_ITEMS = 2
    target.mkdir(exist_ok=True)
    archive = target / "set.vqca"
    known = set(Archive(archive).names) if archive.exists() else set[str]()
    sources = [Source(path, path.name) for path in sorted(photos.iterdir()) if path.name not in known]
    archive_files(
        archive,
        sources,
        ArchiveOptions(model=str(MODEL)),
        append=archive.exists(),
        workers=Workers(2, address),
        done=lambda chunk: print(*(item.name for item in chunk.items), sep="\n", flush=True),
    )


def write_shards(photos: Path, target: Path, address: str) -> None:
    """Make archives of two pictures each that are not there."""
    given = ArchiveOptions(model=str(MODEL))
    place = Place(str(target))
    files = [(path.name, path.stat().st_size) for path in sorted(photos.iterdir())]
    todo = (shard for shard in shards_of(files, given, 2) if shard.name not in place.sizes(""))
    again = Retry(afresh=lambda shard: shard._replace(replace=True))
    for report in map_ordered(WriteShard(Place(str(photos)), place, given), todo, Workers(2, address), again):
        print(report.shard, flush=True)


WRITE = {"files": write_files, "archive": write_archive, "shards": write_shards}


def written(target: Path) -> dict[str, bytes]:
    """What there is by name: files, or items of the archive; AssertionError when an archive is not sound."""
    archive = target / "set.vqca"
    if archive.exists():
        opened = Archive(archive)
        assert not [problem for _, problem in verify_archive(opened) if problem]
        return {item.name: item.to_vqc() for item in opened}
    return {path.name: path.read_bytes() for path in target.iterdir() if not path.name.startswith(".")}


def start(mode: str, photos: Path, target: Path, address: str) -> subprocess.Popen[str]:
    """The program."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, mode, str(photos), str(target), address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def workers_of(mark: str) -> Iterator[int]:
    """Actors that are alive in the cluster."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::Actor") and f"{MARK}={mark}".encode() in environment:
            yield int(folder.name)


def kill_after(
    results: int, seconds: float, mode: str, victim: str, photos: Path, target: Path, whole: dict[str, bytes],
    address: str, mark: str,
) -> str:  # fmt: skip
    """Kill somebody so long after so many results, and look at what is there; say in what state it was met."""
    process = start(mode, photos, target, address)
    assert process.stdout is not None
    reported = [process.stdout.readline().strip() for _ in range(results)]
    time.sleep(seconds)
    pids = [process.pid] if victim == "driver" else [*workers_of(mark)][:1]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    reported += process.communicate()[0].split("\n")[:-1]
    left = written(target)
    assert all(left.get(name) == whole[name] for name in reported), f"{mode}: what was reported is not there, or broken"
    assert all(whole[name] == data for name, data in left.items()), f"{mode}: something is broken"
    met = f"{len(reported)} reported, {len(left)} of {len(whole)} there"
    line = f"{mode:7} {victim:6} after {results:2}, {seconds:4.2f} s: {met}"
    if victim == "worker":
        assert process.returncode == 0, "the run did not go on"
        assert left == whole, "something is missing"
        return line + ("" if pids else ", over before")
    again = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, mode, str(photos), str(target), address],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert again.returncode == 0
    assert written(target) == whole, "the next run did not do the rest"
    return line


def wait_for(host: str, port: int) -> None:
    """Wait until the cluster listens, and its machine has joined it."""
    end = time.monotonic() + 120
    while True:
        try:
            socket.create_connection((host, port)).close()
            break
        except OSError:
            assert time.monotonic() < end, "the cluster does not start"
            time.sleep(0.5)
    time.sleep(10)


def main(moments: int) -> None:
    zoo.BUNDLED_FOLDER = MODEL.parent
    mark = secrets.token_hex(8)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = os.environ | {MARK: mark, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'scripts'}"}
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }  # of this cluster; programs have it
    environment = os.environ | environment
    environment |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    host = str(get_node_ip_address())
    ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
    head = subprocess.Popen(
        [*ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address, chance = f"{host}:{port}", random.Random(0)
    try:
        with tempfile.TemporaryDirectory() as name:
            photos, target = Path(name, "photos"), Path(name, "out")
            make_photos(photos, PICTURES, side=400)
            wait_for(host, port)
            undisturbed = dict[str, tuple[dict[str, bytes], int]]()
            for mode in WRITE:
                process = start(mode, photos, target, address)
                lines = process.communicate()[0].splitlines()
                assert process.returncode == 0
                undisturbed[mode] = written(target), len(lines)
            for moment in range(moments):
                mode, victim = list(WRITE)[moment % 3], ("driver", "worker")[moment // 3 % 2]
                whole, count = undisturbed[mode]
                when = chance.randrange(1, count), 0.3 * chance.random()
                print(kill_after(*when, mode, victim, photos, target, whole, address, mark), flush=True)
    finally:
        head.terminate()
        head.wait()
    print(f"{moments} times KILL: nothing that was reported is lost, and the rest was done")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
