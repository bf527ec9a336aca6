"""Kill the driver or a worker of Ray runs at many moments: all that was reported done is there, and the rest follows.

    python scripts/killed_cluster.py [MOMENTS]        50 moments if left out; needs no trained model

Starts a cluster of two processors. Programs make files, an archive, or shards with two workers, and say what is done.
Of each two workers are killed and then itself, one after the other. For killed workers the program must make up; after
a killed program what it reported must be whole, its workers must go, and the next one, which is killed too, must go on.
In the end there must be the bytes that one process gives without a cluster.
"""

from __future__ import annotations

import itertools
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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from killed import MODEL, PATIENCE_SECONDS, ROOT, Reporting, make_photos
from ray.util import get_node_ip_address

from vqc.archive import create
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

PICTURES = 36
Tell = Callable[[str], object]
MARK = "VQC_KILLED_CLUSTER"  # in the environment of all processes of the cluster


def write_files(tell: Tell, photos: Path, target: Path, address: str | None) -> None:
    """Make a file of each picture that has none."""
    options = CompressOptions(inputs=[], model=str(MODEL))
    work = ConvertItem(Place(str(photos)), Place(str(target)), CompressFile(options, Rate()))
    todo = [path for path in sorted(photos.iterdir()) if not (target / f"{path.stem}.vqc").exists()]
    again = Retry(afresh=lambda item: item._replace(replace=True))
    items = [Item(path.name, path.stem, replace=False) for path in todo]
    for _, outcome in map_unordered(work, items, Workers(2 if address else 1, address), again):
        assert not outcome.problem, outcome.problem
        tell(f"{Path(outcome.name).stem}.vqc")


def write_archive(tell: Tell, photos: Path, target: Path, address: str | None) -> None:
    """Put the pictures into an archive that it does not have yet, two in a block."""
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
        workers=Workers(2 if address else 1, address),
        done=lambda chunk: [tell(item.name) for item in chunk.items],
    )


def write_shards(tell: Tell, photos: Path, target: Path, address: str | None) -> None:
    """Make archives of two pictures each that are not there."""
    given = ArchiveOptions(model=str(MODEL))
    place = Place(str(target))
    files = [(path.name, path.stat().st_size) for path in sorted(photos.iterdir())]
    todo = (shard for shard in shards_of(files, given, 2) if shard.name not in place.sizes(""))
    again, workers = Retry(afresh=lambda shard: shard._replace(replace=True)), Workers(2 if address else 1, address)
    for report in map_ordered(WriteShard(Place(str(photos)), place, given), todo, workers, again):
        tell(report.shard)


WRITE = {"files": write_files, "archive": write_archive, "shards": write_shards}


def written(target: Path) -> dict[str, bytes]:
    """What there is by name: files, or items of the archive; AssertionError when an archive is not sound."""
    archive = target / "set.vqca"
    if not target.exists():
        return {}
    if archive.exists():
        opened = Archive(archive)
        assert not [problem for _, problem in verify_archive(opened) if problem]
        return {item.name: item.to_vqc() for item in opened}
    return {path.name: path.read_bytes() for path in target.iterdir() if not path.name.startswith(".")}


def workers_of(mark: str) -> Iterator[int]:
    """Actors that are alive in the cluster."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::Actor") and f"{MARK}={mark}".encode() in environment:
            yield int(folder.name)


class Victims:
    """Programs that write into a folder, are killed, and go on: one mode after the other.

    Args:
        wholes: what there is in the end, by mode.
    """

    def __init__(
        self, photos: Path, target: Path, wholes: dict[str, dict[str, bytes]], address: str, mark: str
    ) -> None:
        self.photos, self.target, self.wholes, self.address, self.mark = photos, target, wholes, address, mark
        self.mode, self.chance = list(wholes)[-1], random.Random(0)
        self.next_mode()

    def next_mode(self) -> None:
        """Begin with nothing."""
        modes = list(self.wholes)
        self.mode = modes[(modes.index(self.mode) + 1) % len(modes)]
        shutil.rmtree(self.target, ignore_errors=True)

    def run(self, victims: Iterable[str]) -> Iterator[str]:
        """Kill these in one run, and look at what is there at its end; a line about each."""
        program = Reporting(WRITE[self.mode], self.photos, self.target, self.address)
        try:
            yield from self._kill(program, victims)
        finally:
            program.process.kill()

    def _kill(self, program: Reporting, victims: Iterable[str]) -> Iterator[str]:
        said, reported, killed = iter(program), list[str](), False
        for victim in victims:
            results, seconds = self.chance.randrange(1, 5), 0.2 * self.chance.random()
            reported += itertools.islice(said, results)
            time.sleep(seconds)
            pids = [program.process.pid] if victim == "driver" else [*workers_of(self.mark)]
            if not program.process.is_alive() or not pids:
                break
            os.kill(self.chance.choice(pids), signal.SIGKILL)
            killed = victim == "driver"
            yield f"{self.mode:7} {victim:6} after {len(reported):2} reported, {seconds:4.2f} s"
        reported += said
        self.check(reported, ended=program.process.exitcode == 0, killed=killed)

    def check(self, reported: list[str], *, ended: bool, killed: bool) -> None:
        """Look at what there is after a run; AssertionError where it is not what it should be."""
        assert ended or killed, f"{self.mode}: the run did not go on"
        end = time.monotonic() + PATIENCE_SECONDS
        while killed and [*workers_of(self.mark)]:
            assert time.monotonic() < end, "workers are left behind"
            time.sleep(0.05)
        left, whole = written(self.target), self.wholes[self.mode]
        assert all(left.get(name) == whole[name] for name in reported), f"{self.mode}: what was reported is lost"
        assert all(whole[name] == data for name, data in left.items()), f"{self.mode}: something is broken"
        if ended:
            assert left == whole, f"{self.mode}: something is missing"
            self.next_mode()


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
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # and the cluster ends with this, too
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
    address = f"{host}:{port}"
    try:
        with tempfile.TemporaryDirectory() as name:
            photos, target = Path(name, "photos"), Path(name, "out")
            make_photos(photos, PICTURES, side=400)
            wholes = dict[str, dict[str, bytes]]()
            for mode, write in WRITE.items():  # here, without a cluster
                write(id, photos, target, None)
                wholes[mode] = written(target)
                shutil.rmtree(target)
            wait_for(host, port)
            programs, count = Victims(photos, target, wholes, address, mark), 0
            while count < moments:
                for line in programs.run(["worker", "worker", "driver"][: moments - count]):
                    print(line, flush=True)
                    count += 1
            if target.exists():  # the last one is to be whole, too
                assert not [*programs.run([])]
    finally:
        head.terminate()
        head.wait()
    print(f"{moments} times KILL: nothing that was reported is lost, and the rest was done")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
