"""What a model's learned prior saves, what its coder loses, and how long both take: on whole files.

    python scripts/quality_prior.py --model photo --data KODAK
    python scripts/quality_prior.py --model speech --data LIBRISPEECH/test-other --list test_other_30.txt

Each file is compressed at each quality with the model's order-0 tables and with its prior, from the same codes. The
rate is in bits per pixel or kbps of whole files; "lost" is the most bytes that the streams of a file have above -log2 P
of their codes plus 0.1 %. Seconds are medians over the files (for audio: times real time) in this process, with all its
threads: of the prior alone, and of a whole file from samples to bytes and back, with the prior.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import soundfile

from vqc.codec.audio import AudioCodec
from vqc.codec.container import read_container
from vqc.codec.explain import explanation_of
from vqc.codec.image import ImageCodec
from vqc.codec.opening import open_codec
from vqc.data.images import read_image
from vqc.models.library import find_by_name

T = TypeVar("T")


class Row(NamedTuple):
    """One file at one quality."""

    static_bytes: int
    prior_bytes: int
    lost_bytes: float
    static_seconds: float  # to compress
    seconds: float
    restore_static_seconds: float
    restore_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--list", type=Path, help="text file with one path below --data a line")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--qualities", help="1,2,... (all)")
    arguments = parser.parse_args()
    info = find_by_name(arguments.model)
    codec = open_codec(info.media, arguments.model, "cpu")
    suffixes = (".png", ".jpg", ".webp") if info.media == "image" else (".flac", ".wav")
    files = sorted(p for p in arguments.data.rglob("*") if p.suffix in suffixes)
    if arguments.list:
        files = [arguments.data / line for line in arguments.list.read_text(encoding="utf-8").split()]
    qualities = (
        [int(q) for q in arguments.qualities.split(",")] if arguments.qualities else range(1, info.qualities + 1)
    )
    unit, form = ("bpp", "seconds a file") if info.media == "image" else ("kbps", "times real time")
    print(f"{len(files)} files, model {info.name} {info.digest[:12]}; {unit} of whole files; {form}")
    print("        rate              saved     most  prior alone       with the prior")
    print("quality static   prior     in %     lost  encode  decode    compress  decompress")
    for quality in qualities:
        rows, sizes = zip(*(measure(codec, path, quality) for path in files), strict=True)
        table, size = np.array(rows), np.array(sizes)
        per = 8 * table[:, :2] / (size[:, None] * (1 if info.media == "image" else 1000))
        static, prior = per.mean(0)
        seconds = np.stack([table[:, 4] - table[:, 3], table[:, 6] - table[:, 5], table[:, 4], table[:, 6]]).clip(1e-6)
        shown = np.median(seconds if info.media == "image" else size / seconds, 1)
        figures = [100 * (1 - prior / static), table[:, 2].max(), *shown]
        print(f"{quality:7d} {static:6.4f}  {prior:6.4f} " + " ".join(f"{x:8.2f}" for x in figures), flush=True)


def measure(codec: ImageCodec | AudioCodec, path: Path, quality: int) -> tuple[Row, float]:
    """A file's figures, and its pixels or seconds."""
    if isinstance(codec, ImageCodec):
        picture = read_image(path)
        size = float(picture.width * picture.height)

        def compress(entropy: str) -> bytes:
            return codec.compress(picture, quality=quality, entropy=entropy)

        def restore(data: bytes) -> object:
            return codec.decompress(data)
    else:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        size = len(samples) / rate

        def compress(entropy: str) -> bytes:
            return codec.compress([samples], rate, quality=quality, entropy=entropy)

        def restore(data: bytes) -> object:
            return sum(map(len, codec.decompress(data)))

    static, static_seconds = timed(lambda: compress("static"))
    prior, seconds = timed(lambda: compress("prior"))
    _, restore_static_seconds = timed(lambda: restore(static))
    _, restore_seconds = timed(lambda: restore(prior))
    ideal = explanation_of(codec, prior).code_bits / 8
    lost = len(read_container(prior).body) - 1.001 * ideal
    return Row(len(static), len(prior), lost, static_seconds, seconds, restore_static_seconds, restore_seconds), size


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and its seconds."""
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


if __name__ == "__main__":
    main()
