#!/usr/bin/env python3
"""How long a part of a long recording takes: the time must not depend on the length of the file.

    python scripts/long_recording.py            a file of a minute and one of 10 hours, made of the same chunks

Prints the size of the index, and the times of `vqc decompress --start --duration 10`, the least of three each, beside
that of `vqc decompress` of a file of a tenth of a second: that is what starting takes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

import vqc
from vqc.codec.open import codec_for_file
from vqc.format.container import join_streams, read_container, split_streams, write_container

SPEECH = Path(__file__).resolve().parent.parent / "examples" / "speech.flac"
SECONDS, HOURS, TRIES = 62, 10, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        short, long, tiny = (Path(folder, f"{name}.vqc") for name in ("short", "long", "start-up"))
        write_files(short, long)
        for path in (short, long):
            plain = len(write_container(replace(read_container(path.read_bytes()), indexed=False)))
            size = path.stat().st_size
            print(f"{path.name}: {size:,} bytes, of which the index takes {(size - plain) / size:.2%}")
        tiny.write_bytes(vqc.compress(np.full(1_600, 0.1, np.float32), sample_rate=16_000))
        output = str(Path(folder, "part.wav"))
        commands = {"start-up": ["decompress", str(tiny), "-fo", output]}
        for path, start in ((short, "25"), (long, "9:00:05")):
            commands[path.name] = ["decompress", str(path), "--start", start, "--duration", "10", "-fo", output]
        times = dict[str, list[float]]()
        for _ in range(TRIES):
            for name, command in commands.items():
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-m", "vqc", *command], check=True, capture_output=True)
                times.setdefault(name, []).append(time.perf_counter() - begin)
        least = {name: min(found) for name, found in times.items()}
        print(", ".join(f"{name} {time:.2f} s" for name, time in least.items()))
        print(f"the part of {HOURS} hours takes {least[long.name] - least[tiny.stem]:.2f} s above start-up")


def write_files(short: Path, long: Path) -> None:
    """Write a recording of a minute, and one of hours that repeats its chunks."""
    samples, rate = soundfile.read(SPEECH, dtype="float32")
    data = vqc.compress(np.resize(samples, SECONDS * rate), sample_rate=rate)
    container = read_container(data)
    short.write_bytes(data)
    shape, framing = container.header.shape, codec_for_file(container.header, "cpu").framing
    whole = split_streams(container.body, len(framing.segments(shape)))[:-1]
    chunk = framing.segments(shape).core * framing.model.hop_length  # samples; the example has the rate of the model
    count = HOURS * 3600 * rate // chunk
    shape = replace(shape, samples=count * chunk)
    body = join_streams([whole[index % len(whole)] for index in range(count)])
    header = replace(container.header, shape=shape)
    long.write_bytes(write_container(replace(container, header=header, body=body, indexed=True)))


if __name__ == "__main__":
    main()
