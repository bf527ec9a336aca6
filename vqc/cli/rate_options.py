"""The options of `vqc compress` that say how large or how good a file is to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.codec.rate import Rate
    from vqc.format.shapes import Media
    from vqc.models.files.header import ModelInfo

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(k|m|g|ki|mi|gi)?b?", re.IGNORECASE)
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}


@dataclass(frozen=True, kw_only=True)
class RateOptions:
    """Options for the size or the quality of a file: at most one but for the effort."""

    quality: float | None = option(
        None, "--quality -q", "1 smallest, 8 best; also 5.5. Photos: to 10, AVIF inside. [default: the model's]", "1..8"
    )
    lmbda: float | None = option(None, "--lambda", "Photos: squared error a bit must save; instead of -q.", "L")
    target_size: str | None = option(None, "--target-size", "Files of at most 20kB, 1.5MB or 9000 bytes.", "SIZE")
    target_bpp: float | None = option(None, "--target-bpp", "Images of at most so many bits per pixel.", "BPP")
    target_kbps: float | None = option(None, "--target-kbps", "Audio of at most so many kbit/s.", "KBPS")
    target_psnr: float | None = option(
        None, "--target-psnr", "The smallest file of an image that has so many dB.", "DB"
    )
    target_msssim: float | None = option(None, "--target-msssim", "The same by MS-SSIM, such as 0.96.", "S")
    target_pesq: float | None = option(None, "--target-pesq", "The smallest file of speech of this PESQ.", "MOS")
    effort: int | None = option(
        None, "--effort", "More time, better files. [default: the model's]", "0..9", least=0, most=9
    )


def rate_of(options: RateOptions) -> Rate:
    """Return what the options ask for; OptionError when they exclude each other or a size is none."""
    from vqc.codec.rate import Rate

    numbers = {
        "--lambda": options.lmbda,
        "--target-bpp": options.target_bpp,
        "--target-kbps": options.target_kbps,
        "--target-psnr": options.target_psnr,
        "--target-msssim": options.target_msssim,
        "--target-pesq": options.target_pesq,
    }
    size = options.target_size
    given = [f"{name} {value:g}" for name, value in {"-q": options.quality, **numbers}.items() if value is not None]
    given += [f"--target-size {size}"] if size is not None else []
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} exclude each other; give one")
    if any(value is not None and not value > 0 for value in numbers.values()):
        raise OptionError(f"{given[0]}: give a number above 0")
    return Rate(
        effort=options.effort,
        target_bytes=None if size is None else bytes_of(size),
        target_bpp=options.target_bpp,
        target_kbps=options.target_kbps,
        target_psnr=options.target_psnr,
        target_msssim=options.target_msssim,
        target_pesq=options.target_pesq,
        lmbda=options.lmbda,
    )


def bytes_of(size: str) -> int:
    """Parse a size such as 20kB, 1.5MB or 9000, in bytes."""
    found = SIZE.fullmatch(size.strip())
    if not found:
        raise OptionError(f"--target-size {size}: give a size such as 20kB, 1.5MB or 9000")
    count = int(float(found[1]) * UNITS[(found[2] or "").lower()])
    if not count:
        raise OptionError(f"--target-size {size}: give a size above 0")
    return count


def check_quality(info: ModelInfo, quality: float | None, more: int = 0) -> None:
    """OptionError when a model lacks the quality that was asked for, and so does what can do `more` than the model."""
    if quality is not None and not 1 <= quality <= max(info.qualities, more):
        above = f", and to {more} as AVIF" if more else ""
        raise OptionError(f"-q {quality:g}: the qualities of the model {info.name} are 1 to {info.qualities}{above}")


@cache
def default_model(media: Media) -> ModelInfo:
    """The model that the codec chooses for a medium."""
    from vqc.models.files.zoo import find_by_name
    from vqc.models.kinds import default_model

    return find_by_name(default_model(media))
