"""Rate control: which codes a file gets, and the search for a file that is just below a size.

::

    segments ─ model.encoder_search ─► searches ─ refine, as often as the effort says ─► codes ─► file
    size asked for ─► quality whose file is nearest ─► λ ─► … ─► the largest file that is not above it
                             └──── trials, each a pass of the prior over codes of that λ ────┘
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from vqc.codec.framing import Framing, Window
from vqc.codec.progress import ENCODING, REFINING, Meter
from vqc.codec.rate import Rate
from vqc.codec.stream_coder import Codes
from vqc.errors import OptionError, TargetError
from vqc.format.container import EntropyOption
from vqc.models.base import CodecModel
from vqc.models.search import EncoderSearch, OperatingPoint

CLOSE = 0.01  # near enough to the size asked for, from below
_TRIALS = 12
_LAMBDA_SCALES = (1 / 8, 8.0)  # beyond these a quality is not worth its bits
_SIZE_STEP = 1.45  # between qualities, until two are known
_AIM = 1.2  # times the price of a bit to refine for: 0.4 % fewer bits in a search for a score than without, or with 1.4
_SLOPE = 0.5  # of the size by the scale, both as logarithms, until two are known

File = TypeVar("File", bound=Sized)  # bytes, or what has their length


def is_rate_choice(model: CodecModel, quality: float, rate: Rate, name: str) -> bool:
    """Tell whether errors are to be weighed against bits; OptionError when the model called `name` cannot."""
    asked = quality != int(quality) or effort_of(model, rate) > 0 or rate.is_target
    if asked and not model.weighs_bits:
        raise OptionError(
            f"the model {name} has one code for everything: give it a whole quality, no effort and no target"
        )
    return asked


def effort_of(model: CodecModel, rate: Rate) -> int:
    """The requested effort, or the model's default."""
    return model.default_effort if rate.effort is None else rate.effort


class RateController:
    """The choice of the codes of one signal.

    Args:
        rate_choice: whether to weigh errors against bits; else codes are those of `encode`.
        effort: see `Rate`; None for what the searches themselves take for usual.
        entropy: how the codes will be written.
        meter: is told of windows that are encoded and refined.
    """

    def __init__(
        self,
        framing: Framing[Any, Any],
        meter: Meter,
        *,
        rate_choice: bool,
        effort: int | None,
        entropy: EntropyOption = "auto",
    ) -> None:
        self.framing, self.meter, self.rate_choice, self.effort = framing, meter, rate_choice, effort
        self.with_prior = entropy in ("auto", "prior")
        self.model: CodecModel = framing.model
        self._bits: dict[int, Tensor] = {}  # of the last quality
        self._kept: dict[int, list[list[EncoderSearch]]] = {}  # of the last quality tried

    def searches(self, window: Window, point: OperatingPoint) -> list[EncoderSearch]:
        """Return the searches for the codes of a window's batches, after the passes that only aim."""
        batches = self.framing.batches(window)
        searches = [self.model.encoder_search(batch, point.quality, window.inner) for batch in batches]
        self.meter.add(ENCODING * window.positions)
        for search in searches:
            self.refine(search, point)
        return searches

    def refine(self, search: EncoderSearch, point: OperatingPoint) -> None:
        """Make the passes that only aim, as many as the effort says."""
        search.weighs_prior = self.with_prior
        search.effort = self.effort
        effort = search.default_effort if self.effort is None else self.effort
        for _ in range(effort if search.refines else 0):
            codes = search.search(self._bits_of(point.quality), point.lambda_scale)  # [B, G, ...]
            search.refine(codes)
            self.meter.add(REFINING * math.prod(codes.shape[2:]))

    def codes(self, searches: list[EncoderSearch], point: OperatingPoint) -> Codes:
        """Choose the codes of a segment, [A, G, ...]."""
        if not searches:  # nothing sounds
            return np.zeros((0, len(self.model.codebook_sizes(point.quality))), np.uint16)
        bits = self._bits_of(point.quality)
        found = [s.search(bits, point.lambda_scale) if self.rate_choice else s.codes for s in searches]
        return torch.cat(found).cpu().numpy().astype(np.uint16)

    def trial(self, windows: list[Window], point: OperatingPoint, anew: bool = False) -> list[Codes]:
        """Choose the codes of every window; the refined searches of a quality are kept for its next trial.

        Args:
            anew: make the searches for this very point, and keep those.
        """
        if anew or point.quality not in self._kept:
            self._kept.clear()  # before others are made: they are large
            aim = point._replace(lambda_scale=_AIM * point.lambda_scale)
            self._kept[point.quality] = [self.searches(window, aim) for window in windows]
        return [self.codes(searches, point) for searches in self._kept[point.quality]]

    def _bits_of(self, quality: int) -> Tensor:
        """Return the bits of each entry by the static tables, [G, K]."""
        if quality not in self._bits:
            self._bits = {quality: self.model.static_bits(quality)}
        return self._bits[quality]


def hit_size(target: int, qualities: int, start: int, write: Callable[[OperatingPoint], File]) -> File:
    """The file whose size is at most `target` and, if there is one, within 1 % of it.

    Args:
        start: the quality to try first.
        write: gives the file of an operating point; sizes rise with the quality and fall with λ.

    Raises:
        TargetError: even the smallest file is larger; it says how large.
    """
    quality, first = _nearest_quality(target, qualities, start, write)
    files, tried = [first], set[int]()  # small, so that all may be kept
    while 1 <= quality <= qualities and quality not in tried:
        tried.add(quality)
        sizes = {0.0: len(files[-1])}  # by the logarithm of the λ scale

        def size_at(scale: float, quality: int = quality) -> int:
            files.append(write(OperatingPoint(quality, scale)))
            return len(files[-1])

        _search_scale(target, sizes, size_at)
        if min(sizes.values()) <= target * (1 + CLOSE) and max(sizes.values()) >= target * (1 - CLOSE):
            break
        quality += 1 if max(sizes.values()) < target else -1  # no λ will do here
        if 1 <= quality <= qualities and quality not in tried:
            files.append(write(OperatingPoint(quality, 1.0)))
    fitting = [data for data in files if len(data) <= target]
    if not fitting:
        smallest = len(write(OperatingPoint(1, _LAMBDA_SCALES[1])))
        raise TargetError(f"a target of {target:,} bytes cannot be met: the smallest file takes {smallest:,}")
    return max(fitting, key=len)


def _nearest_quality(
    target: int, qualities: int, start: int, write: Callable[[OperatingPoint], File]
) -> tuple[int, File]:
    """The quality whose file at λ scale 1 is nearest in size, and that file."""
    files: dict[int, File] = {}
    quality = start
    while quality not in files:
        files[quality] = write(OperatingPoint(quality, 1.0))
        away = math.log(target / len(files[quality])) / math.log(_SIZE_STEP)
        quality = min(max(quality + round(away), 1), qualities)
    nearest = min(files, key=lambda q: abs(math.log(len(files[q]) / target)))
    return nearest, files[nearest]


def _search_scale(target: int, sizes: dict[float, int], size_at: Callable[[float], int]) -> None:
    """Look up sizes until one is close below the target or no other can be."""
    for _ in range(_TRIALS):
        if any(target * (1 - CLOSE) <= size <= target for size in sizes.values()):
            return
        scale = _next_scale(sizes, target * (1 - CLOSE / 2))
        if scale is None:
            return
        sizes[scale] = size_at(math.exp(scale))


def _next_scale(sizes: dict[float, int], wanted: float) -> float | None:
    """Return the λ at which a line through the logarithms meets the size wanted; None when none is left to try."""
    low, high = (math.log(scale) for scale in _LAMBDA_SCALES)
    above = [scale for scale, size in sizes.items() if size > wanted]  # too large: λ must rise
    below = [scale for scale, size in sizes.items() if size <= wanted]
    if above and below:
        left, right = max(above), min(below)
        if right - left < 1e-4:
            return None
        a, b, c = (math.log(size) for size in (sizes[left], sizes[right], wanted))
        share = min(max((a - c) / (a - b) if a > b else 0.5, 0.1), 0.9)
        return left + share * (right - left)
    edge = max(above) if above else min(below)
    step = math.log(sizes[edge] / wanted) / _SLOPE
    scale = min(max(edge + step * 1.1, low), high)
    return None if scale in sizes else scale
