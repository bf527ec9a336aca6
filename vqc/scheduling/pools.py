"""The pool that workers are to form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vqc.scheduling.pool import Pool, ThisProcess
from vqc.scheduling.workers import Workers


def open_pool(function: Callable[[Any], Any], workers: Workers, count: int | None = None) -> Pool:
    """A pool for `count` items, or for who knows how many.

    Raises:
        MissingPackageError: Ray is not installed.
        VQCError: the cluster cannot be reached.
    """
    if workers.ray is not None and count != 0:
        from vqc.scheduling.ray_cluster import RayActors

        return RayActors(function, workers, count)
    jobs = workers.jobs or 1
    jobs = jobs if count is None else min(jobs, count)
    if jobs <= 1:
        return ThisProcess(function)
    from vqc.scheduling.processes import Processes

    return Processes(function, jobs)
