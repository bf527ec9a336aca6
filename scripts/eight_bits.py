#!/usr/bin/env python3
"""Store weights of a finished model file in eight bits: those that its kind has in `int8_tensors`.

    python scripts/eight_bits.py vqc/weights/voice.safetensors

`vqc train` stores them so by itself; this is for files from before. The digest changes, and a prior inside stays what
it is. Where all that restoring needs is stored as before, `vqc/models/files/first_digests.py` can say that files go on
naming the model as they did.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqc.models.files.checkpoint import load_checkpoint, save_again
from vqc.models.files.header import read_info


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model file, which is replaced")
    print(shorten(parser.parse_args().model))


def shorten(path: Path) -> str:
    """Replace a model file by one with its weights in eight bits; returns what changed, for people."""
    loaded = load_checkpoint(path)
    before = loaded.info
    save_again(path, loaded, name=before.name, parts={}, weights="int8")
    after = read_info(path)
    return f"{path}: {before.bytes:,} → {after.bytes:,} bytes\ndigest {before.digest}\n     → {after.digest}"


if __name__ == "__main__":
    main()
