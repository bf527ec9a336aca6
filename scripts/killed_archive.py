"""Kill programs that write an archive at many moments: it opens with every item that was reported done.

    python scripts/killed_archive.py [MOMENTS]        50 moments if left out; needs no trained model

Each time a program puts pictures into an archive, says which are on the disk, and is killed at another moment; half of
the times it appends to an archive that was there. Then every item that was reported must be there and be read, and
appending the rest must give an archive of everything that `verify` finds in order.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from killed import MODEL, Reporting, make_photos

from vqc.archive import create
from vqc.archive.create import ArchiveOptions, Source, archive_files
from vqc.archive.reader import Archive
from vqc.archive.verify import verify_archive
from vqc.codec import batches  # noqa: F401  # and so torch, before processes are forked
from vqc.models.files import zoo

PICTURES, THERE = 24, 6  # in all; in the archive that is appended to
BLOCK_SECONDS = 0.03  # about what a block takes


def run(tell: Callable[[str], object], target: Path, photos: Path, mode: str) -> None:
    """The program: say that it begins, then of each picture when it is done."""
    tell("begin")
    write(target, photos, append=mode == "append", tell=tell)


def write(
    target: Path, photos: Path, *, append: bool, count: int = PICTURES, tell: Callable[[str], object] = id
) -> None:
    """Put pictures into an archive, a block for each two; say of each when it is done."""
    create.CHUNK_ITEMS = 2
    known = set(Archive(target).names) if append else set[str]()
    sources = [Source(path, path.name) for path in sorted(photos.iterdir())[:count] if path.name not in known]

    def done(chunk: create.Chunk) -> None:
        for item in chunk.items:
            tell(item.name)

    archive_files(target, sources, ArchiveOptions(model=str(MODEL)), append=append, overwrite=True, done=done)


def kill_after(results: int, seconds: float, target: Path, photos: Path, mode: str, begun: bytes) -> str:
    """Kill a program so long after so many reports, and look at what it left; say in what state it was met."""
    target.write_bytes(begun)
    program = Reporting(run, target, photos, mode)
    said = iter(program)
    next(said)
    reported = [*islice(said, results)]
    time.sleep(seconds)
    program.process.kill()
    reported += said
    if not target.stat().st_size:  # as it was put there: nothing was begun
        assert not reported
        return f"{mode} after {results:2}, {seconds:.3f} s: not begun"
    left = Archive(target)
    names = left.names
    assert set(reported) <= set(names), f"{mode} after {results}: {set(reported) - set(names)} are lost"
    if mode == "append":
        assert len(names) >= THERE, "what was there is not"
    problems = [problem for _, problem in verify_archive(left) if problem]
    assert not problems, problems
    torn = " torn" if left.problem else ""
    left.close()
    write(target, photos, append=True)
    whole = Archive(target)
    assert sorted(whole.names) == sorted(path.name for path in photos.iterdir())
    assert not [problem for _, problem in verify_archive(whole) if problem]
    return f"{mode} after {results:2}, {seconds:.3f} s: {len(reported)} reported, {len(names)} there{torn}"


def kill_often(moments: int, folder: Path) -> Sequence[str]:
    """Kill programs at so many moments, after each number of reports in turn; a line about each."""
    zoo.BUNDLED_FOLDER = MODEL.parent
    photos, target, lines = folder / "photos", folder / "set.vqca", list[str]()
    make_photos(photos, PICTURES, side=96)
    write(target, photos, append=False, count=THERE)
    there, chance = target.read_bytes(), random.Random(0)
    for moment in range(moments):
        mode, begun = ("append", there) if moment % 2 else ("create", b"")
        when = moment // 2 % (PICTURES - THERE), BLOCK_SECONDS * chance.random()
        lines.append(kill_after(*when, target, photos, mode, begun))
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name:
        kill_often(count, Path(name))
    print(f"{count} times KILL: nothing that was reported is lost")
