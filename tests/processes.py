"""Worker processes without the seconds that each takes to start."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def map_in_this_process(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> Iterator[tuple[int, Any]]:
    """Yield what `vqc.workers.map_unordered` may: function, items and results are pickled, and the last comes first."""
    for index in reversed(range(len(items))) if workers > 1 else range(len(items)):
        called, item = pickle.loads(pickle.dumps((function, items[index])))  # noqa: S301
        yield index, pickle.loads(pickle.dumps(called(item)))  # noqa: S301
