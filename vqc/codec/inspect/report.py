"""What a file function did, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.codec.inspect.explain import Explanation
from vqc.codec.rate import Score
from vqc.format.container import Entropy, Header
from vqc.format.plain import name_of
from vqc.format.shapes import Media, Shape
from vqc.metrics.mse import psnr_of


@dataclass(frozen=True, kw_only=True)
class Report:
    """One file compressed or decompressed."""

    model: str  # its name; "lossless" or "avif" of a picture that has none
    quality: int
    entropy: Entropy  # how the codes are written
    shape: Shape
    bytes_in: int
    bytes_out: int
    vqc_bytes: int  # of these two, the one of the .vqc file
    seconds: float  # of work, reading and writing files included
    mse: float | None = None  # of the round trip, full scale being 1; for `stats=True` only
    score: Score | None = None  # that was reached; for a target score only
    has_codes: bool = True  # not of a picture that has no model
    lossless: bool = False  # whether every pixel comes back as it was
    chosen_lossless: bool = False  # nobody asked for that, but it is smaller
    lossless_bytes: int | None = None  # that it would take without loss, where that is not much more
    explanation: Explanation | None = None  # where the bits go; for `explain=True` only
    heat_map: Path | None = None  # the picture of it, of an image
    damage: tuple[str, ...] = ()  # what was not restored, in words; for `salvage=True` only

    @classmethod
    def of(cls, header: Header, codec_name: str, **figures: Any) -> Report:
        """The report of a file with this header, and of a codec with this name if it has codes."""
        plain = header.is_plain
        return cls(
            model=name_of(header.quality) if plain else codec_name,
            has_codes=not plain,
            lossless=header.is_lossless,
            quality=header.quality,
            entropy=header.entropy,
            shape=header.shape,
            **figures,
        )

    @property
    def media(self) -> Media:
        """The medium that was compressed."""
        return self.shape.media

    @property
    def pixels(self) -> int | None:
        """Pixels of an image."""
        return getattr(self.shape, "pixels", None)

    @property
    def samples(self) -> int | None:
        """Samples per channel of audio."""
        return getattr(self.shape, "samples", None)

    @property
    def sample_rate(self) -> int | None:
        """Samples per second of audio."""
        return getattr(self.shape, "sample_rate", None)

    @property
    def channels(self) -> int | None:
        """Channels of audio."""
        return getattr(self.shape, "channels", None)

    @property
    def rate(self) -> float:
        """Bits of the whole `.vqc` file per pixel of an image, kilobits per second of audio."""
        return self.shape.rate(self.vqc_bytes)

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits of the whole `.vqc` file for each pixel of an image."""
        return self.rate if self.media == "image" else None

    @property
    def kbps(self) -> float | None:
        """Kilobits of the whole `.vqc` file for each second of audio."""
        return self.rate if self.media == "audio" else None

    @property
    def psnr(self) -> float | None:
        """Peak signal-to-noise ratio of the round trip in dB, full scale being 1; infinite when nothing changed."""
        return None if self.mse is None else psnr_of(self.mse)
