#!/usr/bin/env python3
"""How late sound is heard through `vqc compress - | vqc decompress -`, and what short chunks cost.

    python scripts/live.py                      the example, at the speed of a recorder, in chunks of 1, 2 and 5 s
    python scripts/live.py talk.wav --chunks 2

For each length of chunks: kilobits per second, beside those of a file; seconds from the moment in which a sample is
sent to that in which it is restored, of the sample that waits longest in the second half (in the first half programs
may still be loading); and the processor time for a second of sound, with that.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

import vqc

SPEECH = Path(__file__).resolve().parent.parent / "examples" / "speech.flac"
STEP = 0.05  # seconds of sound that are sent at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sound", nargs="?", default=SPEECH, help="a recording; of several channels the first")
    parser.add_argument("--chunks", type=float, nargs="+", default=(1.0, 2.0, 5.0), metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=16.0, help="of it, repeated if it is shorter")
    arguments = parser.parse_args()
    samples, rate = soundfile.read(arguments.sound, dtype="int16", always_2d=True)
    samples = np.resize(samples[:, 0], int(arguments.seconds * rate))
    whole = vqc.info(vqc.compress(samples, sample_rate=rate))
    print(f"a file: {whole.rate:.3f} kbps")
    for chunk in arguments.chunks:
        bits, first, latency, load = play(samples, rate, chunk)
        print(
            f"chunks of {chunk:g} s: {bits:.3f} kbps ({bits / whole.rate - 1:+.1%}), heard after {latency:.2f} s "
            f"({first:.2f} s in the first half), {load:.2f} s of a core for a second",
            flush=True,
        )


def play(samples: np.ndarray, rate: int, chunk: float) -> tuple[float, float, float, float]:
    """Send samples [T] at their rate through both commands; return kbps, the longest waits of both halves, the load."""
    command, pipes = [sys.executable, "-m", "vqc"], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    before = os.times()
    compress = [*command, "compress", "-", "--raw", str(rate), "--chunk", str(chunk), "--quiet"]
    decompress = [*command, "decompress", "-", "--quiet"]
    with subprocess.Popen(compress, **pipes) as sender, subprocess.Popen(decompress, **pipes) as player:
        packed, heard = io.BytesIO(), list[tuple[float, int]]()
        relay = threading.Thread(target=copy, args=(sender.stdout, player.stdin, packed))
        listen = threading.Thread(target=listen_to, args=(player.stdout, heard))
        relay.start()
        listen.start()
        sender.stdin.write(samples[:1].tobytes())  # both are loaded while they wait
        sender.stdin.flush()
        time.sleep(8)
        begin, step = time.perf_counter(), int(STEP * rate)
        for start in range(1, len(samples), step):
            stop = min(start + step, len(samples))
            time.sleep(max(0.0, begin + stop / rate - time.perf_counter()))
            sender.stdin.write(samples[start:stop].tobytes())
            sender.stdin.flush()
        sender.stdin.close()
        relay.join()
        listen.join()
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    # sample n was sent at begin + n / rate; of what comes at once the first has waited longest
    waits = [(first, at - begin - first / rate) for at, first in heard]
    early, late = (max(wait for n, wait in waits if (2 * n > len(samples)) == half) for half in (False, True))
    return 8 * len(packed.getvalue()) / (len(samples) / rate) / 1000, early, late, busy / (len(samples) / rate)


def copy(source, target, kept) -> None:
    """What `ssh` would do."""
    while data := source.read1(65_536):
        kept.write(data)
        target.write(data)
        target.flush()
    target.close()


def listen_to(source, heard: list[tuple[float, int]]) -> None:
    """Note when what comes, and which sample is its first."""
    source.read(44)
    position = 0
    while data := source.read1(65_536):
        heard.append((time.perf_counter(), position))
        position += len(data) // 2


if __name__ == "__main__":
    main()
