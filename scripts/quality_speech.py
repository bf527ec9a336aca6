"""Rate and quality of the `speech` model on whole files: bits with container, PESQ-WB and STOI, at every quality.

    python scripts/quality_speech.py --data LIBRISPEECH/test-other --list test_other_30.txt [--model FILE] [--json OUT]

Without --list all audio files below the folder are taken. Both metrics are computed at lag 0: the codec has no delay.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--list", type=Path, help="text file with one path below --data a line")
    parser.add_argument("--model", default="speech")
    parser.add_argument("--entropy", default="auto")
    parser.add_argument("--qualities", default="1,2,3,4,5,6,7,8")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write every file's figures here")
    arguments = parser.parse_args()
    if arguments.list:
        files = [arguments.data / line for line in arguments.list.read_text(encoding="utf-8").split()]
    else:
        files = sorted(p for p in arguments.data.rglob("*") if p.suffix in (".flac", ".wav"))
    qualities = [int(q) for q in arguments.qualities.split(",")]
    work = [(f, q, arguments.model, arguments.entropy) for q in qualities for f in files]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(_measure, work, chunksize=5))
    print(f"{len(files)} files, --entropy {arguments.entropy}, container included; mean ± 95 % interval")
    print("quality   kbps   PESQ-WB          STOI")
    for q in qualities:
        table = np.array([row for (_, quality, _, _), row in zip(work, rows, strict=True) if quality == q])
        mean, half = table.mean(0), 1.96 * table.std(0, ddof=1) / len(table) ** 0.5
        print(f"{q:7d} {mean[0]:6.3f}   {mean[1]:.3f} ± {half[1]:.3f}   {mean[2]:.4f} ± {half[2]:.4f}")
    if arguments.json:
        keys = ("kbps", "pesq_wb", "stoi")
        listed = [
            {"file": w[0].name, "quality": w[1], **dict(zip(keys, r, strict=True))}
            for w, r in zip(work, rows, strict=True)
        ]
        arguments.json.write_text(json.dumps(listed, indent=1), encoding="utf-8")


def _measure(work: tuple[Path, int, str, str]) -> tuple[float, float, float]:
    """kbps of the whole file, PESQ-WB, STOI of one file at one quality."""
    from pesq import pesq
    from pystoi import stoi

    import vqc

    path, quality, model, entropy = work
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000, "PESQ-WB is defined at 16 kHz"
    data = vqc.compress(samples, sample_rate=rate, model=model, quality=quality, entropy=entropy)
    decoded = vqc.decompress(data).samples[:, 0]
    kbps = 8 * len(data) / (len(samples) / rate) / 1000
    return kbps, float(pesq(rate, samples, decoded, "wb")), float(stoi(samples, decoded, rate))


if __name__ == "__main__":
    main()
