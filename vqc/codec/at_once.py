"""Streams and tiles that are worked on at once: a thread for each, among which those of torch are shared out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice
from typing import TypeVar

import torch

from vqc.devices import on_threads

MOST = 4  # threads: what is done in Python is done in one at a time
MOST_TILES = 2  # of networks, each of which needs memory of its own

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_at_once(function: Callable[[Item], Result], items: Iterable[Item], *, most: int = MOST) -> list[Result]:
    """Return what a function makes of items, in their order; the first error ends all that has not begun.

    Items are taken as they are needed, one for each thread ahead.
    """
    whole = torch.get_num_threads()
    remaining = iter(items)
    first = list(islice(remaining, min(most, whole)))
    if len(first) <= 1:
        return [function(item) for item in chain(first, remaining)]
    inference, share = torch.is_inference_mode_enabled(), max(1, whole // len(first))

    def work(item: Item) -> Result:
        with on_threads(share), torch.inference_mode(inference):
            return function(item)

    pool, begun, results = ThreadPoolExecutor(len(first), thread_name_prefix="at_once"), deque[Future[Result]](), []
    try:
        for item in chain(first, remaining):
            begun.append(pool.submit(copy_context().run, work, item))
            if len(begun) == 2 * len(first):
                results.append(begun.popleft().result())
        return results + [future.result() for future in begun]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
