"""What an archive of a folder of pictures takes: time, bytes beside names and codes, and whether batches matter.

    python scripts/archives.py FOLDER [MODEL] [JOBS]        model photo and 2 jobs if left out
    python scripts/archives.py 60000                        of so many pictures of CIFAR-10's size, cut from the example

Prints how long `vqc archive create` and `list` take; the bytes an item beyond its name (the whole, and what is new in
it after the name before) and its codes; and how many of 200 pictures get other codes in smaller batches.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from os.path import commonprefix
from pathlib import Path

import numpy as np
from PIL import Image

from vqc.archive.reader import Archive
from vqc.codec.batches import BatchCompressor
from vqc.codec.open import open_codec
from vqc.codec.rate import Rate
from vqc.data.image_files import read_image

COMPARED, SIDE = 200, 32  # pictures; pixels
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "photo.jpg"


def timed(*arguments: str) -> float:
    """Seconds that a command takes."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "vqc", "archive", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def report(target: Path) -> None:
    """Print what an archive takes beside names and codes."""
    opened = Archive(target)
    names = [item.name.encode() for item in opened]
    codes = sum(item.length for item in opened)
    new = sum(len(name) - len(commonprefix([name, before])) for before, name in zip([b"", *names], names, strict=False))  # noqa: RUF071
    for what, taken in {"whole names": sum(map(len, names)), "what is new in each name": new}.items():
        print(f"{(opened.size - taken - codes) / len(opened):.2f} bytes an item beyond {what} and its codes")
    print(f"{len(opened):,} items, {codes / len(opened):.1f} bytes of codes each, {opened.size:,} bytes in all")


def compare(pictures: list[Path], model: str) -> None:
    """Print how many pictures get other codes in smaller batches."""
    compressor = BatchCompressor(open_codec("image", model, "cpu"), quality=None, entropy="none", rate=Rate())
    prepared = [one for path in pictures if (one := compressor.prepare(read_image(path))) is not None]
    together = compressor.together(prepared)
    for size in (1, 7, 33):
        parts = [prepared[first : first + size] for first in range(0, len(prepared), size)]
        made = [container for part in parts for container in compressor.together(part)]
        differ = sum(one != other for one, other in zip(made, together, strict=True))
        print(f"batches of {size}: {differ} of {len(prepared)} have other codes")


def make_pictures(folder: Path, count: int) -> None:
    """Cut pictures of 32 x 32 pixels from the example, in ten folders."""
    photo, generator = Image.open(EXAMPLE).convert("RGB"), np.random.default_rng(0)
    for index in range(count):
        left, top = (int(generator.integers(size - SIDE + 1)) for size in photo.size)
        path = folder / str(index % 10) / f"{index:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + SIDE, top + SIDE)).save(path, compress_level=1)


def main() -> None:
    folder, model, jobs = [*sys.argv[1:], *["photo", "2"][len(sys.argv) - 2 :]]
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "set.vqca"
        if folder.isdecimal():
            make_pictures(Path(place, "pictures"), int(folder))
            folder = str(Path(place, "pictures"))
        print(f"create: {timed('create', str(target), folder, '-m', model, '--jobs', jobs, '--quiet'):.1f} s")
        print(f"list: {min(timed('list', str(target), '--quiet') for _ in range(3)):.2f} s")
        report(target)
        compare(sorted(Path(folder).rglob("*.png"))[:COMPARED], model)


if __name__ == "__main__":
    main()
