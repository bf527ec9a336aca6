#!/usr/bin/env python3
"""Put the curves of a training run into a model file that was made without them; its weights and digest stay.

python scripts/add_history.py vqc/weights/photo.safetensors RUN
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc.atomic import write_atomically
from vqc.errors import CheckpointError
from vqc.models.config import canonical_json
from vqc.models.files.header import ModelInfo, checksum, info_from_header, parse_header, read_info
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


def set_history(path: Path, history: Mapping[str, Any]) -> ModelInfo:
    """Give a model file the curves of its training run, [[step, value], …] by figure, in place of those it has.

    Digest and tensors stay, byte for byte. CheckpointError: the file cannot be read, is no model, or is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the model {path}: {error.strerror or error}") from None
    header = parse_header(data, len(data), path)
    info = info_from_header(header, len(data), path)
    described = json.loads(header.metadata["info"]) | {"history": dict(history)}
    metadata = header.metadata | {"info": canonical_json(described)}
    metadata["check"] = checksum(metadata)
    front = json.loads(data[8 : header.data_start]) | {"__metadata__": metadata}
    text = json.dumps(front, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # safetensors starts its tensors at a multiple of eight bytes
    write_atomically(path, len(text).to_bytes(8, "little") + text + data[header.data_start :], overwrite=True)
    return dataclasses.replace(info, history=dict(history), bytes=8 + len(text) + len(data) - header.data_start)


if __name__ == "__main__":
    main()
