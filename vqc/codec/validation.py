"""Checks of options and headers before work begins; without torch, because reading a header needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from vqc.errors import ContainerError, ModelNotFoundError, OptionError
from vqc.format.container import ENTROPIES, Header
from vqc.models.kinds import kind_numbered

if TYPE_CHECKING:
    from vqc.codec.rate import Rate
    from vqc.format.container import EntropyOption
    from vqc.models.base import CodecModel


def check_entropy(entropy: str) -> EntropyOption:
    """The option; OptionError when there is no such mode."""
    modes = ["auto", *[*ENTROPIES.values()][::-1]]
    if entropy not in modes:
        raise OptionError(f"entropy {entropy}: there is no such mode; use {', '.join(modes[:-1])} or {modes[-1]}")
    return cast("EntropyOption", entropy)


def check_mode(model: CodecModel, entropy: str, name: str) -> EntropyOption:
    """The entropy option, once it is known that the model called `name` has it; OptionError otherwise."""
    if entropy == "prior" and model.prior is None:
        raise OptionError(f"entropy prior: the model {name} has no learned prior; use auto, static or none")
    return check_entropy(entropy)


def check_quality(model: CodecModel, quality: float | None, name: str, rate: Rate) -> float:
    """The quality, the one that `rate.lmbda` stands for, or the model's default.

    OptionError when the rate asks for something else than the quality, or the model called `name` does not have it.
    """
    lmbda = rate.lmbda
    if quality is not None and (rate.is_target or lmbda is not None):
        target = "a target size" if rate.target_score is None else "a target score"
        other = target if lmbda is None else f"lambda {lmbda:g}"
        raise OptionError(f"quality {quality:g} and {other} exclude each other; give one")
    if lmbda is not None:
        return _quality_at(model, lmbda, name)
    if quality is None:
        return model.default_quality
    number = isinstance(quality, int | float | np.integer | np.floating) and not isinstance(quality, bool)
    if not number or not 1 <= quality <= model.qualities:
        shown = f"{quality:g}" if number else repr(quality)
        raise OptionError(f"quality {shown}: the qualities of the model {name} are 1 to {model.qualities}")
    return float(quality)


def _quality_at(model: CodecModel, lmbda: float, name: str) -> float:
    """The quality, fractional, of this λ; OptionError when the model has none."""
    lambdas = model.lambdas
    if not lambdas:
        raise OptionError(f"lambda {lmbda:g}: the model {name} does not weigh bits against error; give a quality")
    if not lambdas[-1] <= lmbda <= lambdas[0]:
        raise OptionError(f"lambda {lmbda:g}: the model {name} has {lambdas[-1]:g} to {lambdas[0]:g}")
    return model.quality_at(lmbda)


def check_header(header: Header, kind: str, qualities: int, digest: bytes, name: str) -> None:
    """Makes sure that a file can be decompressed with the model of this kind, number of qualities, digest and name.

    Raises:
        ModelNotFoundError: the file was made with another model.
        ContainerError: the file asks for what its model does not have.
    """
    if header.digest != digest:
        raise ModelNotFoundError(
            f"the .vqc file was made with the model {header.digest.hex()}, not with {name} ({digest.hex()}); "
            "decompress it with its own"
        )
    wanted = kind_numbered(header.codec).name
    if wanted != kind or header.quality > qualities:
        raise ContainerError(
            f"the .vqc file asks for codec {wanted} at quality {header.quality}, but its model {name} is {kind} "
            f"with {qualities} qualities; the file is damaged, get it again"
        )
