#!/usr/bin/env python3
"""Put the curves of a training run into a model file that was made without them; its weights and digest stay.

python scripts/add_history.py vqc/weights/photo.safetensors RUN
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqc.models.info import read_info
from vqc.models.rewriting import set_history
from vqc.training.history import read_history, thinned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model file")
    parser.add_argument("run", type=Path, help="folder of the run that it comes from")
    options = parser.parse_args()
    history, steps = read_history(options.run), read_info(options.model).training.get("steps")
    if history.steps != steps:
        parser.error(f"{options.run} has {history.steps} steps, {options.model} was trained for {steps}: another run")
    info = set_history(options.model, thinned(history))
    print(f"{info.path}: {len(info.history)} curves, {info.bytes:,} bytes, digest {info.digest[:12]}")


if __name__ == "__main__":
    main()
