"""The options of drawing: those of `vqc.sample` and, with the same words, of the command `vqc sample`.

No torch at import: the command checks its options before it loads anything.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vqc.errors import OptionError
from vqc.format.shapes import Media
from vqc.option_fields import option

DEFAULT_MODEL = "cifar10"
SEEDS = range(1 << 64)
HOTTEST = 100.0  # temperature: beyond it all codes are as good as equal
MOST_GUIDANCE = 100.0
IMAGES, RECORDINGS, PROPOSALS = 16, 1, 3  # that are drawn where no number is asked for; the last: to complete an image
KEEP = 0.5
LEAST = 0.001  # of temperature and share, which are rounded to so much

Hole = tuple[int, int, int, int]  # left, top, width, height in pixels


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of ``64x96``, or of ``64`` for both; OptionError for anything else."""
    found = re.fullmatch(r"(\d{1,6})(?:[x×](\d{1,6}))?", text.strip().lower())
    if not found:
        raise OptionError(f"--size {text}: give height and width in pixels, such as 64x96")
    return int(found[1]), int(found[2] or found[1])


def parse_hole(text: str) -> Hole:
    """Left, top, width and height of ``30,40,100,60``; OptionError for anything else."""
    found = re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", text.replace(" ", ""))
    if not found:
        raise OptionError(f"--hole {text}: give left, top, width and height in pixels, such as 30,40,100,60")
    return int(found[1]), int(found[2]), int(found[3]), int(found[4])


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What to draw from the prior of a model.

    Raises:
        OptionError: a number is out of its range.
    """

    n: int | None = option(None, "-n", "How many. [default: 16 images, 3 that complete one, or 1 recording]", "N")
    seed: int = option(0, "--seed", "The same seed draws the same codes on every machine.", "N")
    temperature: float = option(1.0, "--temperature", "Below 1 likely codes are drawn more often.", "T")
    top_p: float = option(1.0, "--top-p", "Only the likeliest codes, of this share together.", "P")
    quality: int | None = option(None, "--quality -q", "Quality of the codes. [default: the model's]", "Q")
    size: tuple[int, int] | None = option(
        None, "--size", "Height and width of images in pixels. [default: 256x256, or 32x32]", "HxW", type=str,
        parse=parse_size,
    )  # fmt: skip
    seconds: float | None = option(None, "--seconds", "Length of recordings. [default: 5]", "S")
    label: str | None = option(None, "--class", "What images show, by name or number. [default: anything]", "C")
    guidance: float = option(1.0, "--guidance", "Above 1: more of what tells the class from others.", "W")

    complete: str | None = option(None, "--complete", "Go on with this image or recording.", "FILE")
    keep: float | None = option(None, "--keep", "Share of it that is kept: its top, or its begin. [default: 0.5]", "P")
    hole: Hole | None = option(
        None, "--hole", "Keep all of it but this rectangle, in pixels.", "X,Y,W,H", type=str, parse=parse_hole
    )

    def __post_init__(self) -> None:
        if self.n is not None and self.n < 1:
            raise OptionError(f"-n {self.n}: give how many to draw, 1 or more")
        if self.seed not in SEEDS:
            raise OptionError(f"seed {self.seed}: give a whole number from 0 to {SEEDS[-1]}")
        if not LEAST <= self.temperature <= HOTTEST:
            raise OptionError(f"temperature {self.temperature:g}: give a number from {LEAST} to {HOTTEST:g}")
        if not LEAST <= self.top_p <= 1:
            raise OptionError(f"top-p {self.top_p:g}: give a share from {LEAST} to 1")
        if not 0 <= self.guidance <= MOST_GUIDANCE:
            raise OptionError(f"guidance {self.guidance:g}: give a number from 0 to {MOST_GUIDANCE:g}")
        if self.guidance != 1 and self.label is None:
            raise OptionError(f"guidance {self.guidance:g}: this is for images of a class; give one with --class")
        if self.size is not None and min(self.size) < 1:
            raise OptionError(f"size {self.size[0]}x{self.size[1]}: an image has pixels; give 1 or more each way")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise OptionError(f"{self.seconds:g} seconds: give a number above 0")
        self._check_completion()

    def count(self, media: Media) -> int:
        """How many to draw from a model for a medium."""
        images = IMAGES if self.complete is None else PROPOSALS
        return self.n or (images if media == "image" else RECORDINGS)

    def _check_completion(self) -> None:
        given = {"keep": self.keep, "hole": self.hole}
        told = [name for name, value in given.items() if value is not None]
        if told and self.complete is None:
            raise OptionError(f"{told[0]}: this is for completing a file; give it with --complete")
        if len(told) == 2:
            raise OptionError("keep and hole exclude each other; give one")
        if self.keep is not None and not 0 < self.keep <= 1:
            raise OptionError(f"keep {self.keep:g}: give a share above 0, up to 1")
        if self.hole is not None and min(self.hole[2:]) < 1:
            raise OptionError(f"hole {','.join(map(str, self.hole))}: it has no pixels; give a width and a height")
        if self.complete is not None and self.size is not None:
            raise OptionError("size: an image that is completed keeps its own; leave it out")
