"""How many bits a file may take: what is asked for, and the search for a file that is just below a size.

::

    size asked for ─► quality whose file is nearest ─► weight of a bit ─► … ─► the largest file that is not above it
                             └──────── trials, each a pass of the prior over chosen codes ───────┘
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from vqc.errors import OptionError

CLOSE = 0.01  # near enough to the size asked for, from below
_TRIALS = 12
_WEIGHTS = (1 / 8, 8.0)  # of a bit: beyond these a quality is not worth its bits
_SIZE_STEP = 1.45  # between qualities, until two are known
_SLOPE = 0.5  # of the size by the weight, both as logarithms, until two are known

EFFORTS = range(10)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What a caller asks for besides a quality.

    effort: how often the codes are chosen again, each time aiming at what makes up for the errors left in the decoded
        signal; nothing for models that have no way to. The model's own if None.
    target_bytes: size of the whole file, not to be exceeded.
    target_bpp: the same in bits per pixel, of an image.
    target_kbps: the same in kilobits per second, of audio.
    bit_worth: λ, the squared error of 8-bit values that a bit has to save; stands for a quality of models of images.
    """

    effort: int | None = None
    target_bytes: int | None = None
    target_bpp: float | None = None
    target_kbps: float | None = None
    bit_worth: float | None = None

    def __post_init__(self) -> None:
        if self.effort is not None and (not isinstance(self.effort, int) or self.effort not in EFFORTS):
            raise OptionError(f"effort {self.effort}: it is a whole number from 0 to {EFFORTS.stop - 1}")
        targets = {
            "size": self.target_bytes,
            "bpp": self.target_bpp,
            "kbps": self.target_kbps,
            "lambda": self.bit_worth,
        }
        given = {name: value for name, value in targets.items() if value is not None}
        if len(given) > 1:
            raise OptionError(f"targets of {' and '.join(given)} exclude each other; give one")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise OptionError(f"a target {name} of {value} cannot be met; give a positive number")

    @property
    def is_target(self) -> bool:
        """Whether a size is asked for."""
        return any(target is not None for target in (self.target_bytes, self.target_bpp, self.target_kbps))

    def bytes_of_image(self, pixels: int) -> int | None:
        """The size asked for; None when there is none. OptionError when it was meant for audio."""
        if self.target_kbps is not None:
            raise OptionError("a target in kbps is for audio, but this is an image; give one in bpp, or a size")
        return self.target_bytes if self.target_bpp is None else int(self.target_bpp * pixels / 8)

    def bytes_of_audio(self, seconds: float) -> int | None:
        """As `bytes_of_image`."""
        if self.target_bpp is not None:
            raise OptionError("a target in bpp is for images, but this is audio; give one in kbps, or a size")
        return self.target_bytes if self.target_kbps is None else int(self.target_kbps * 1_000 * seconds / 8)


class Choice(NamedTuple):
    """How codes are chosen."""

    quality: int
    weight: float  # of a bit, against a unit of error


def hit_size(target: int, qualities: int, start: int, write: Callable[[Choice], bytes]) -> bytes:
    """The file whose size is at most `target` and, if there is one, within 1 % of it.

    Args:
        start: the quality to try first.
        write: gives the file of a choice; sizes rise with the quality and fall with the weight.

    Raises:
        OptionError: even the smallest file is larger; it says how large.
    """
    quality, first = _nearest_quality(target, qualities, start, write)
    files, tried = [first], set[int]()  # small, so that all may be kept
    while 1 <= quality <= qualities and quality not in tried:
        tried.add(quality)
        sizes = {0.0: len(files[-1])}  # by the logarithm of the weight

        def size_at(weight: float, quality: int = quality) -> int:
            files.append(write(Choice(quality, weight)))
            return len(files[-1])

        _search_weight(target, sizes, size_at)
        if min(sizes.values()) <= target * (1 + CLOSE) and max(sizes.values()) >= target * (1 - CLOSE):
            break
        quality += 1 if max(sizes.values()) < target else -1  # no weight will do here
        if 1 <= quality <= qualities and quality not in tried:
            files.append(write(Choice(quality, 1.0)))
    fitting = [data for data in files if len(data) <= target]
    if not fitting:
        smallest = len(write(Choice(1, _WEIGHTS[1])))
        raise OptionError(f"a target of {target:,} bytes cannot be met: the smallest file takes {smallest:,}")
    return max(fitting, key=len)


def _nearest_quality(target: int, qualities: int, start: int, write: Callable[[Choice], bytes]) -> tuple[int, bytes]:
    """The quality whose file at weight 1 is nearest in size, and that file."""
    files: dict[int, bytes] = {}
    quality = start
    while quality not in files:
        files[quality] = write(Choice(quality, 1.0))
        away = math.log(target / len(files[quality])) / math.log(_SIZE_STEP)
        quality = min(max(quality + round(away), 1), qualities)
    nearest = min(files, key=lambda q: abs(math.log(len(files[q]) / target)))
    return nearest, files[nearest]


def _search_weight(target: int, sizes: dict[float, int], size_at: Callable[[float], int]) -> None:
    """Look up sizes until one is close below the target or no other can be."""
    for _ in range(_TRIALS):
        if any(target * (1 - CLOSE) <= size <= target for size in sizes.values()):
            return
        weight = _next_weight(sizes, target * (1 - CLOSE / 2))
        if weight is None:
            return
        sizes[weight] = size_at(math.exp(weight))


def _next_weight(sizes: dict[float, int], wanted: float) -> float | None:
    """Where a straight line through the logarithms meets the size that is wanted; None when there is nothing to try."""
    low, high = (math.log(weight) for weight in _WEIGHTS)
    above = [weight for weight, size in sizes.items() if size > wanted]  # too large: a bit must weigh more
    below = [weight for weight, size in sizes.items() if size <= wanted]
    if above and below:
        left, right = max(above), min(below)
        if right - left < 1e-4:
            return None
        a, b, c = (math.log(size) for size in (sizes[left], sizes[right], wanted))
        share = min(max((a - c) / (a - b) if a > b else 0.5, 0.1), 0.9)
        return left + share * (right - left)
    edge = max(above) if above else min(below)
    step = math.log(sizes[edge] / wanted) / _SLOPE
    weight = min(max(edge + step * 1.1, low), high)
    return None if weight in sizes else weight
