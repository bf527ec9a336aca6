"""How many workers there are to be, and where."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = "local"  # in the place of an address: a cluster of this machine alone, for as long as the work takes


@dataclass(frozen=True)
class Workers:
    """Workers for a scheduler.

    jobs: how many; None: with `ray` one for each processor of the cluster, else one.
    ray: address of a Ray cluster, or `LOCAL`; None: processes of this machine.
    gpus: of each worker, in a Ray cluster.
    """

    jobs: int | None = None
    ray: str | None = None
    gpus: float = 0.0

    @property
    def elsewhere(self) -> bool:
        """Whether another worker may do what one could not: it has another disk, network and memory."""
        return self.ray is not None
