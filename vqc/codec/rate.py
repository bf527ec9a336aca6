"""Rate options: effort, and the bits that a file may take, or the score that it has to reach, in place of a quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from vqc.errors import OptionError
from vqc.format.shapes import Media

EFFORTS = range(10)


class Score(NamedTuple):
    """A score of what a file restores, asked for or reached."""

    metric: str  # key of `vqc.metrics.catalogue`
    value: float


_LARGEST = {"MS-SSIM": 1.0, "PESQ": 4.64}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Options of an encoder besides a quality.

    effort: how often the codes are chosen again, each time aiming at what makes up for the errors left in the decoded
        signal; nothing for models that have no way to. The model's own if None.
    target_bytes: size of the whole file, not to be exceeded.
    target_bpp: the same in bits per pixel, of an image.
    target_kbps: the same in kilobits per second, of audio.
    target_psnr: PSNR in dB that an image has to reach, in the smallest file that does.
    target_msssim: the same by MS-SSIM, up to 1.
    target_pesq: wide-band PESQ that speech has to reach, up to 4.64.
    lmbda: λ, the squared error of 8-bit values that a bit has to save; stands for a quality of models of images.
    """

    effort: int | None = None
    target_bytes: int | None = None
    target_bpp: float | None = None
    target_kbps: float | None = None
    target_psnr: float | None = None
    target_msssim: float | None = None
    target_pesq: float | None = None
    lmbda: float | None = None

    def __post_init__(self) -> None:
        if self.effort is not None and (not isinstance(self.effort, int) or self.effort not in EFFORTS):
            raise OptionError(f"effort {self.effort}: it is a whole number from 0 to {EFFORTS.stop - 1}")
        targets = {
            "size": self.target_bytes,
            "bpp": self.target_bpp,
            "kbps": self.target_kbps,
            "PSNR": self.target_psnr,
            "MS-SSIM": self.target_msssim,
            "PESQ": self.target_pesq,
            "lambda": self.lmbda,
        }
        given = {name: value for name, value in targets.items() if value is not None}
        if len(given) > 1:
            raise OptionError(f"targets of {' and '.join(given)} exclude each other; give one")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise OptionError(f"a target {name} of {value} cannot be met; give a positive number")
            if value > _LARGEST.get(name, math.inf):
                raise OptionError(f"a target {name} of {value:g} cannot be met; the scale ends at {_LARGEST[name]:g}")

    @property
    def is_size(self) -> bool:
        """True when a size is asked for."""
        return any(target is not None for target in (self.target_bytes, self.target_bpp, self.target_kbps))

    @property
    def is_target(self) -> bool:
        """True when a size or a score is asked for."""
        return self.is_size or self.target_score is not None

    @property
    def target_score(self) -> Score | None:
        """The score asked for."""
        asked = {"psnr": self.target_psnr, "ms_ssim": self.target_msssim, "pesq_wb": self.target_pesq}
        return next((Score(metric, value) for metric, value in asked.items() if value is not None), None)

    def check_media(self, media: Media) -> None:
        """Raise OptionError when the size or score asked for is one of the other medium."""
        if media == "image" and self.target_kbps is not None:
            raise OptionError("a target in kbps is for audio, but this is an image; give one in bpp, or a size")
        if media == "audio" and self.target_bpp is not None:
            raise OptionError("a target in bpp is for images, but this is audio; give one in kbps, or a size")
        if media == "image" and self.target_pesq is not None:
            raise OptionError("a target PESQ is for speech, but this is an image; give one by PSNR or MS-SSIM")
        if media == "audio" and (self.target_psnr is not None or self.target_msssim is not None):
            raise OptionError("a target PSNR or MS-SSIM is for images, but this is audio; give one by PESQ")

    def target_size(self, extent: float) -> int:
        """The size asked for in bytes, at least 1, of an image of so many pixels or audio of so many seconds."""
        if self.target_bpp is not None:
            return max(1, int(self.target_bpp * extent / 8))
        if self.target_kbps is not None:
            return max(1, int(self.target_kbps * 1_000 * extent / 8))
        assert self.target_bytes is not None, "a size is asked for"
        return self.target_bytes
