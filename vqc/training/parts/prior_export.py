"""From a trained prior to a model file: what stays of the codec's, and what the integers cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vqc.models.files.header import Header, StoredTensor, digest_of, info_from_header, parse_header
from vqc.training.parts.prior import PriorFigures

_PRIOR = "prior."  # what the names of its tensors begin with


def codec_digest(path: Path) -> str:
    """The digest of a model file as it would be without its prior: that of the codes it makes.

    `digest_of` leaves out its likelihood and its sharp decoder.
    """
    data, header = _read(path)
    info, body = info_from_header(header, len(data), path), memoryview(data)[header.data_start :]
    own = [t for t in header.tensors if not t.name.startswith(_PRIOR)]
    return digest_of(
        info.kind, info.config, (StoredTensor(t.name, t.dtype, t.shape, body[t.start : t.stop]) for t in own)
    )


def figures_of(floats: PriorFigures, integers: PriorFigures) -> dict[str, Any]:
    """What a model file says of its prior at one quality."""
    return {
        "bits_per_code": round(floats.bits_per_code, 5),
        "bits_per_code_integer": round(integers.bits_per_code, 5),
        "bits_per_code_static": round(integers.bits_per_code_static, 5),
        "saving_percent": round(100 * (1 - integers.share), 2),
        "bits_per_dim": round(integers.bits_per_dim, 5),
    }


def _read(path: Path) -> tuple[bytes, Header]:
    data = path.read_bytes()
    return data, parse_header(data, len(data), path)
