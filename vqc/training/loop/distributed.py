"""Several processes train one model: each sees its rows of every batch, gradients are averaged over all.

Started by torchrun, which tells each process its rank in the environment. The optimizers, the averaged weights and
the codebooks of all ranks take the same steps, so replicas stay equal to the bit; only rank 0 validates and writes.
Small decisions travel as CPU tensors (gloo), so that a GPU never waits for them.
"""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vqc.devices import find_device
from vqc.errors import TrainingError
from vqc.nn.distributed import own_rank, world_size
from vqc.training.loop.task import Losses

PATIENCE = timedelta(hours=2)  # that ranks wait for rank 0 to validate
_LETTING_GO_SECONDS = 0.2


class Ranks(NamedTuple):
    """The place of this process among all of them."""

    rank: int
    world: int  # how many there are
    local_rank: int  # among those of this machine: the GPU to take

    @property
    def first(self) -> bool:
        """Whether it is the one that validates, writes and speaks."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device of this process; OptionError when there is none of that name, or fewer GPUs than processes."""
        device = find_device(name)
        return find_device(f"cuda:{self.local_rank}") if device == "cuda" else device


@contextmanager
def join() -> Iterator[Ranks]:
    """Take part in the process group that torchrun has set up; by itself, a process is rank 0 of 1.

    TrainingError: the environment speaks of several processes but not of how to reach them.
    """
    ranks = _ranks_from_environment()
    if ranks.world == 1:
        yield ranks
        return
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    if gpus and ranks.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(ranks.local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE)
    try:
        yield ranks
    finally:
        # DistributedDataParallel keeps the threads of gloo alive. One that has yet to let go of the last tensor it was
        # given needs the interpreter for that, and aborts the process if that is on its way out.
        time.sleep(_LETTING_GO_SECONDS)
        dist.destroy_process_group()


def _ranks_from_environment() -> Ranks:
    world = os.environ.get("WORLD_SIZE", "1")
    if world == "1":
        return Ranks(0, 1, 0)
    try:
        ranks = Ranks(int(os.environ["RANK"]), int(world), int(os.environ.get("LOCAL_RANK", "0")))
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    except (KeyError, ValueError) as error:
        raise TrainingError(
            f"WORLD_SIZE is {world} but {str(error).strip(chr(39))} is not set as torchrun does; "
            "start several processes with torchrun, or unset WORLD_SIZE"
        ) from None
    return ranks


class Agreement(NamedTuple):
    """Decisions before a step that all ranks share."""

    seconds: float  # of training, on the clock of rank 0
    validate: bool  # rank 0 says so
    checkpoint: bool  # rank 0 says so
    interrupted: bool  # any rank was


def agree(own: Agreement) -> Agreement:
    """Share the clock and the decisions of rank 0, and whether any rank was interrupted."""
    if world_size() == 1:
        return own
    heard = own if own_rank() == 0 else Agreement(-math.inf, False, False, own.interrupted)
    together = torch.tensor(heard, dtype=torch.float64)
    dist.all_reduce(together, dist.ReduceOp.MAX)
    seconds, validate, checkpoint, interrupted = together.tolist()
    return Agreement(seconds, bool(validate), bool(checkpoint), bool(interrupted))


def broadcast_number(number: float) -> float:
    """The number that rank 0 passes, on every rank."""
    if world_size() == 1:
        return number
    tensor = torch.tensor(number, dtype=torch.float64)
    dist.broadcast(tensor, 0)
    return tensor.item()


def broadcast_bytes(data: bytes) -> bytes:
    """The bytes that rank 0 passes, on every rank: other machines need not see its disk."""
    if world_size() == 1:
        return data
    length = int(broadcast_number(len(data)))
    tensor = torch.zeros(length, dtype=torch.uint8)
    if own_rank() == 0 and length:
        tensor.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    if length:
        dist.broadcast(tensor, 0)
    return tensor.numpy().tobytes()


class LossModule(nn.Module):
    """A network whose forward pass is a loss, as DistributedDataParallel needs it.

    Its reducer looks in every step for parameters that are not used. It warns where there are none, and is confused by
    a step without gradients; `spare` is there for both.
    """

    def __init__(self, network: nn.Module, loss: Callable[[Any, int], Losses]) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.spare = nn.Parameter(torch.zeros((), device=next(network.parameters()).device))

    def forward(self, batch: Any, step: int) -> Losses:
        losses = self.loss(batch, step)
        return losses if losses.total.requires_grad else losses._replace(total=losses.total + 0 * self.spare)


def parallel(network: nn.Module, loss: Callable[[Any, int], Losses]) -> Callable[[Any, int], Losses]:
    """The loss of a network; on several ranks, its backward pass averages the gradients over them.

    All ranks begin with the weights and codebooks of rank 0. A parameter need not be used in every step, nor on every
    rank.
    """
    if world_size() == 1:
        return loss
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            dist.broadcast(tensor, 0)
    known = inspect.signature(DistributedDataParallel).parameters
    sync_buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # torch < 2.13
    options: dict[str, Any] = {sync_buffers: False, "find_unused_parameters": True}
    module: Callable[[Any, int], Losses] = DistributedDataParallel(LossModule(network, loss), **options)
    return module


def without_gradient_sync(loss: Callable[[Any, int], Losses]) -> AbstractContextManager[None]:
    """For all but the last of the batches of a step: gradients add up before they travel."""
    if isinstance(loss, DistributedDataParallel):
        context: AbstractContextManager[None] = loss.no_sync()
        return context
    return nullcontext()
