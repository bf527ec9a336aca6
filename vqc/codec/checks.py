"""What both codecs check before they begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from vqc.codec.container import CODECS, Header
from vqc.codec.streams import EntropyOption
from vqc.errors import ContainerError, ModelNotFoundError, OptionError
from vqc.models.base import CodecModel

Progress = Callable[[float], None]  # told now and then which share of the work is done, 0..1


def tell(progress: Progress | None, share: float) -> None:
    """Reports progress to whoever wants to know."""
    if progress is not None:
        progress(share)


def check_entropy(entropy: str) -> EntropyOption:
    """The option, once it is known that it can be had; OptionError otherwise."""
    if entropy == "prior":
        raise OptionError("entropy prior: no model of this version has a learned prior yet; use auto, static or none")
    if entropy not in ("auto", "static", "none"):
        raise OptionError(f"entropy {entropy}: there is no such mode; use auto, static or none")
    return cast(EntropyOption, entropy)


def check_quality(model: CodecModel, quality: int | None, name: str) -> int:
    """The quality, the model's default for None; OptionError when the model called `name` does not have it."""
    if quality is None:
        return model.default_quality
    if not isinstance(quality, int | np.integer) or isinstance(quality, bool) or not 1 <= quality <= model.qualities:
        raise OptionError(
            f"quality {quality}: the qualities of the model {name} are the whole numbers 1 to {model.qualities}"
        )
    return int(quality)


def check_header(header: Header, model: CodecModel, digest: bytes, name: str) -> None:
    """Makes sure that a file can be decompressed with this model.

    Raises:
        ModelNotFoundError: the file was made with another model.
        ContainerError: the file asks for what its model does not have.
    """
    if header.digest != digest:
        raise ModelNotFoundError(
            f"the .vqc file was made with the model {header.digest.hex()}, not with {name} ({digest.hex()}); "
            "decompress it with its own"
        )
    kind = CODECS[header.codec]
    if kind != model.kind or header.quality > model.qualities:
        raise ContainerError(
            f"the .vqc file asks for codec {kind} at quality {header.quality}, but its model {name} is {model.kind} "
            f"with {model.qualities} qualities; the file is damaged, get it again"
        )
