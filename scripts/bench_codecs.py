"""Seconds to encode and decode one photo by vqc and by other codecs, at the same size, in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from bench_tools import median_seconds, photo_of

from vqc.evaluation.baselines.baseline import Setting
from vqc.evaluation.baselines.image_codecs import AVIF, WebP
from vqc.evaluation.baselines.jpeg_xl import JPEGXL
from vqc.evaluation.baselines.size_matching import Encodings
from vqc.evaluation.items import Item
from vqc.processors import available


class AVIFAtSpeed(AVIF):
    """With as many threads as there are processors."""

    def __init__(self, speed: int) -> None:
        self.speed, self.label = speed, f"AVIF, speed {speed}"

    def options(self, setting: Setting, speed: int | None = None) -> dict[str, Any]:
        return super().options(setting, speed or self.speed) | {"max_threads": available()}


class Timed(NamedTuple):
    """One line of the result."""

    codec: str
    bytes: int
    psnr: float  # dB
    encode: float  # seconds
    decode: float  # seconds

    def as_json(self) -> dict[str, Any]:
        return self._asdict()

    def __str__(self) -> str:
        about = f"{self.codec:16} {self.bytes:7,d} bytes  {self.psnr:.2f} dB"
        return f"{about}  encode {self.encode:.3f} s  decode {self.decode:.3f} s"


def codecs(model: Any, runs: int) -> Iterator[Timed]:
    """The sample photo of 768 x 512 at the model's default quality, then the others at that size."""
    import vqc

    pixels = np.array(photo_of(768, 512))
    data = vqc.compress(pixels, model=model)
    yield timed("vqc", runs, pixels, lambda: vqc.compress(pixels, model=model), lambda file: vqc.decompress(file).array)
    item = Item("photo", pixels, None, pixels.nbytes)
    for codec in (AVIFAtSpeed(6), AVIFAtSpeed(4), WebP(), JPEGXL()):
        if codec.available() is not None:
            continue
        setting = Encodings(codec, item).matching(len(data))
        if setting is not None:
            yield timed(
                codec.label,
                runs,
                pixels,
                lambda codec=codec, setting=setting: codec.encode(item, setting),
                lambda file, codec=codec, setting=setting: codec.decode(file, item, setting),
            )


def timed(
    label: str, runs: int, pixels: np.ndarray, encode: Callable[[], bytes], decode: Callable[[bytes], np.ndarray]
) -> Timed:
    """Median seconds both ways."""
    data = encode()
    error = np.mean((decode(data).astype(float) - pixels) ** 2)
    psnr = float(10 * np.log10(255**2 / error))
    return Timed(label, len(data), psnr, median_seconds(runs, encode), median_seconds(runs, lambda: decode(data)))
