"""The cost of a run and the rates of its codec, before hours are spent on it."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from vqc.data.batches import Shard
from vqc.models.base import CodecModel
from vqc.training.loop.distributed import Ranks
from vqc.training.loop.trainer import Trainer
from vqc.training.media import MEDIA
from vqc.training.options import is_part
from vqc.training.run import Run

WARM_UP = 3  # steps that are not timed


class Estimate(NamedTuple):
    """Work and rates of a model. A unit is a pixel of an image or a second of audio."""

    encoder_macs: float  # multiply-accumulates a unit, at the default quality; Fourier transforms are not counted
    decoder_macs: float
    codes: tuple[float, ...]  # a unit, at each quality
    bits: tuple[float, ...]  # a unit at each quality, codes of fixed length: an upper bound of what files take


class StepTime(NamedTuple):
    """Medians over training steps."""

    seconds: float
    data_share: float  # of it, spent waiting for the batch


class RunEstimate(NamedTuple):
    """A model and its training steps."""

    parameters: int
    model: Estimate | None  # None for a part of a codec
    step: StepTime


def estimate_run(run: Run, data: Any, ranks: Ranks, device: str) -> RunEstimate:
    """Build the model and make some steps, in a folder that goes away; on several ranks all take part."""
    model = run.build()
    cost = None if is_part(run.what) else estimate(run.build())
    task = run.recipe.make_task(model, data, run.settings, Shard(ranks.rank, ranks.world))
    with tempfile.TemporaryDirectory() as folder:
        step = time_steps(Trainer(task, run.settings.loop, Path(folder), device=ranks.device(device)))
    return RunEstimate(sum(p.numel() for p in model.parameters()), cost, step)


@torch.inference_mode()
def estimate(model: CodecModel) -> Estimate:
    """Count operations and bits of a model, without data."""
    codec: Any = model.eval()
    signal, units, positions = MEDIA[model.media].blank(model)
    quality = model.default_quality
    with FlopCounterMode(display=False) as encoder:
        codes = codec.encode(signal, quality)
    with FlopCounterMode(display=False) as decoder:
        codec.decode(codes, quality)
    sizes = [model.codebook_sizes(q + 1) for q in range(model.qualities)]
    return Estimate(
        encoder_macs=encoder.get_total_flops() / 2 / units,
        decoder_macs=decoder.get_total_flops() / 2 / units,
        codes=tuple(len(of) * positions / units for of in sizes),
        bits=tuple(sum(map(math.log2, of)) * positions / units for of in sizes),
    )


def time_steps(trainer: Trainer, steps: int = 20, seconds: float = 10.0) -> StepTime:
    """Run some steps for a while, the first ones to warm up, and say how long the others took.

    The first steps are slower by far: memory is taken, and each kind of batch meets kernels that are not chosen yet.
    Model and task are changed by it.
    """
    waiting = 0.0
    task: Any = trainer.task
    own = task.batch

    def timed(step: int) -> Any:
        nonlocal waiting
        begin = time.perf_counter()
        try:
            return own(step)
        finally:
            waiting += time.perf_counter() - begin

    task.batch = timed
    shares, totals = [], list[float]()
    end = time.perf_counter() + seconds
    for i in range(WARM_UP + steps):
        waiting, begin = 0.0, time.perf_counter()
        trainer.train_step()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        now = time.perf_counter()
        if i >= WARM_UP:
            totals.append(now - begin)
            shares.append(waiting / (now - begin))
        if totals and now > end:
            break
    middle = len(totals) // 2
    return StepTime(sorted(totals)[middle], sorted(shares)[middle])
