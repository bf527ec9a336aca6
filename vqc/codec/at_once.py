"""Streams of a file that are coded at once: a thread for each, as many as torch would use for one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

MOST = 4  # threads: what is done in Python is done in one at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_at_once(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what a function makes of items, in their order; the first error ends all that has not begun."""
    threads = min(MOST, len(items), torch.get_num_threads())
    if threads <= 1:
        return [function(item) for item in items]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="stream")
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
