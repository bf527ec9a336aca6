"""How much work a small file may ask for, unless whoever opens it says otherwise.

A `.vqc` file of some hundred bytes can stand for any size: a flat picture takes next to nothing, and so does a lie. Nor
does the end of a stream tell (see `vqc.entropy.range_coder`). So work is bounded before it begins: no file of under
1 MB takes more than a minute of one core, as far as that can be told from what it claims. Longer files are believed
within the limits of the format, and a limit that is given stands in place of all this.
"""

from __future__ import annotations

import math
from typing import Any

from vqc.codec.codec import Codec
from vqc.codec.framing import Framing
from vqc.codec.open import codec_for_file
from vqc.errors import ContainerError, MediaError
from vqc.format.container import Header
from vqc.format.shapes import Shape
from vqc.models.kinds import kind_named, prior_kind_named

SMALL_FILE = 1_000_000  # bytes
MOST_SECONDS = 60.0  # of one core
_COMPRESSING = 1.7  # times as long as restoring

_WRITING = 0.03  # seconds of one core: a million samples that come out, resampled


def check_work(framing: Framing[Any, Any], header: Header, size: int, limit: int | None) -> None:
    """ContainerError when a `.vqc` file of `size` bytes asks for more work than one so small may; not with a limit."""
    shape, prior = header.shape, header.entropy == "prior"
    seconds = restoring_seconds(framing, shape, header.quality, prior=prior)
    if limit is None and size < SMALL_FILE and seconds > MOST_SECONDS:
        raise ContainerError(f"the .vqc file {_refusal(shape, size, seconds)}")


def codec_for_work(
    header: Header, size: int, limit: int | None, device: str = "cpu", *, sharp: bool = False
) -> Codec[Any, Any]:
    """The codec to decompress a file of `size` bytes with; raises what `codec_for_file` and `check_work` raise."""
    codec = codec_for_file(header, device, sharp=sharp)
    check_work(codec.framing, header, size, limit)
    return codec


def check_source(framing: Framing[Any, Any], shape: Shape, size: int, limit: int | None, name: str) -> None:
    """MediaError when a source asks for more work than a file of `size` bytes may; or is over the limit, if given."""
    seconds = _COMPRESSING * restoring_seconds(framing, shape, framing.model.default_quality, prior=True)
    if limit is None and size < SMALL_FILE and seconds > MOST_SECONDS:
        raise MediaError(f"{name} {_refusal(shape, size, seconds)}")
    if limit is not None and shape.size > limit:
        raise MediaError(
            f"{name} has {shape.length_in_words}, over the limit of {limit:,}; raise it if you trust the file"
        )


def restoring_seconds(framing: Framing[Any, Any], shape: Shape, quality: int, *, prior: bool) -> float:
    """About how long a core takes to restore a file of this shape, coded with the model's prior or without."""
    model, work = framing.model, framing.workload(shape)
    seconds = kind_named(model.kind).seconds * work.values + _WRITING * work.resampled  # of a million such files
    if prior and model.prior is not None:
        position, code = prior_kind_named(model.prior.kind).seconds
        seconds += work.positions * (position + code * len(model.codebook_sizes(quality)))
    return float(seconds) / 1e6


def _refusal(shape: Shape, size: int, seconds: float) -> str:
    return (
        f"has {size:,} bytes and claims {shape.length_in_words}: {math.ceil(seconds / 60)} minutes of work or more; "
        f"if you trust it, give --limit {shape.size}"
    )
