"""The setting of a codec whose file has a given size, found with few encodes.

::

    target size ─► Search over quick drafts, where a codec has them ─► a place
                                     ▲                                  │ encode
                                     └── real size / draft's size ◄─────┘
"""

from __future__ import annotations

import math
from collections.abc import Callable

from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.items import Item

# A file smaller or larger by more than this share is no match. Files of AVIF's lowest settings are up to 40 % apart.
TOLERANCE = 0.2
_CLOSE = 0.015  # near enough to stop looking
_PROBES = 7  # sizes that are looked up for one target, at most
_REVISIONS = 3  # real encodes for one target, where there are drafts


class Search:
    """Places 0 … count - 1 whose sizes are known once they have been looked up, and are taken to rise.

    Where they do not, the search ends at a place that is not quite the nearest.
    """

    def __init__(self, count: int, size_at: Callable[[int], int]) -> None:
        self.count, self.size_at = count, size_at
        self.sizes: dict[int, int] = {}

    def look_up(self, place: int) -> int:
        """Its size."""
        if place not in self.sizes:
            self.sizes[place] = self.size_at(place)
        return self.sizes[place]

    def nearest(self, target: float) -> int:
        """The place whose size is nearest to `target`, in proportion."""
        for probe in range(_PROBES):
            place = self._next(target, halve=probe == _PROBES // 2)
            if place is None:
                break
            self.look_up(place)
        return self.known_nearest(target)

    def known_nearest(self, target: float) -> int:
        """Return the nearest of the places that have been looked up."""
        return min(self.sizes, key=lambda place: difference(self.sizes[place], target))

    def _next(self, target: float, *, halve: bool) -> int | None:
        """The place to look up next; None when one is near enough or no other can be nearer."""
        last = self.count - 1
        if not self.sizes:
            return last // 3
        if difference(self.sizes[self.known_nearest(target)], target) <= _CLOSE:
            return None
        below = max((place for place, size in self.sizes.items() if size <= target), default=None)
        above = min((place for place, size in self.sizes.items() if size > target), default=None)
        if below is None:
            assert above is not None, "a size is on one side"
            return above // 4 if above else None
        if above is None:
            return min(last, below + max(1, last // 5)) if below < last else None
        return self._between(below, above, target, halve=halve) if above - below > 1 else None

    def _between(self, below: int, above: int, target: float, *, halve: bool) -> int:
        """On a straight line through the logarithms of the sizes; once the middle, as the line may be bent."""
        low, high = math.log(self.sizes[below]), math.log(self.sizes[above])
        share = 0.5 if halve else (math.log(target) - low) / (high - low)
        return min(max(below + 1, round(below + share * (above - below))), above - 1)


class Encodings:
    """One item through one codec: the files that have been written, kept for the next target."""

    def __init__(self, baseline: Baseline, item: Item) -> None:
        self.baseline, self.item = baseline, item
        self.files: dict[Setting, bytes] = {}
        settings = baseline.settings
        self.real = Search(len(settings), lambda place: len(self.at(settings[place])))
        self.drafts = Search(len(settings), lambda place: baseline.draft_size(item, settings[place]))

    def at(self, setting: Setting) -> bytes:
        """The file of a setting."""
        if setting not in self.files:
            self.files[setting] = self.baseline.encode(self.item, setting)
        return self.files[setting]

    def matching(self, size: int) -> Setting | None:
        """The setting whose file is nearest in size; None when that is not within the tolerance."""
        place = self._by_drafts(size) if self.baseline.has_drafts else self.real.nearest(size)
        near = difference(self.real.sizes[place], size) <= math.log1p(TOLERANCE)
        return self.baseline.settings[place] if near else None

    def _by_drafts(self, size: int) -> int:
        """Find the nearest with a file for the place that drafts propose, until that place has one."""
        for _ in range(_REVISIONS):
            place = self.drafts.nearest(size / self._ratio(size))
            if place in self.real.sizes:
                break
            self.real.look_up(place)
        return self.real.known_nearest(size)

    def _ratio(self, size: int) -> float:
        """Return the ratio of real sizes to those of drafts, about this size."""
        if not self.real.sizes:
            return 1.0
        place = self.real.known_nearest(size)
        return self.real.sizes[place] / self.drafts.look_up(place)


def difference(size: float, target: float) -> float:
    """Return the difference of two sizes in proportion: the absolute logarithm of their quotient."""
    return abs(math.log(size / target))
