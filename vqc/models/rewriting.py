"""What a model file says of itself, changed without a touch to its tensors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc.atomic import write_atomically
from vqc.errors import CheckpointError
from vqc.models.config import canonical_json
from vqc.models.info import ModelInfo, checksum, info_from_header, parse_header


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
