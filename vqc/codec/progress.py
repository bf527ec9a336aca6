"""How much of the work on a file is done, so that a bar moves as evenly as the clock.

The work is counted in positions of the code grid: each is coded with the prior, which counts as 1; encoded; and chosen
again as often as the effort says. What these take beside the prior was measured once; that a bar runs a little faster
here than there does no harm.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from vqc.format.container import EntropyOption
    from vqc.models.base import CodecModel

Progress = Callable[[float], None]  # told now and then which share of the work is done, 0..1
Done = Callable[[int], None]  # so many more codes are written or read

ENCODING, REFINING, CODING = 0.7, 1.0, 1.0  # of a position, beside the prior's 1; a photo's steps take 0.8 to 1.4
EXPECTED_TRIALS = 5  # of a search for a size


def report_progress(progress: Progress | None, share: float) -> None:
    """Report progress to whoever wants to know."""
    if progress is not None:
        progress(share)


class Meter:
    """Adds up what is done of `total` units of work; those who listen hear shares that only grow.

    Args:
        total: 0 where it is not known; then nothing is told.
    """

    def __init__(self, progress: Progress | None, total: float) -> None:
        self.progress, self.total = progress, total
        self.done = self.told = 0.0
        self._lock = threading.Lock()  # several streams may be coded at once

    def add(self, work: float) -> None:
        """So much more is done. More than there was to do at all counts as just before the end."""
        with self._lock:
            self.done += work
            share = self.done / self.total if self.total else 0.0
            share = min(share, 0.99)
            if share > self.told:
                self.told = share
                report_progress(self.progress, share)

    def counter(self, codes: NDArray[Any], work: float) -> Done:
        """Return a counter that adds up the work on the positions of codes [A, G, ...] as codes are counted."""
        positions = math.prod(codes.shape[2:])
        return lambda count: self.add(work * positions * count / codes.size)


def compressing(positions: float, effort: int, model: CodecModel, entropy: EntropyOption, *, search: bool) -> float:
    """The units that it takes to compress so many positions; with `search` to a size that is asked for."""
    coding = CODING * (model.prior is not None and entropy in ("auto", "prior"))
    return positions * (ENCODING + effort * REFINING + coding * (EXPECTED_TRIALS if search else 1))


def within(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Tells the whole what a part of it, from one share to another, tells of itself."""
    return None if progress is None else lambda share: progress(start + share * (stop - start))
