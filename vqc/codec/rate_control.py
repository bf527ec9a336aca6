"""Codes that are chosen by error and bits: between two qualities, with more effort, or for a size that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch

from vqc.codec.progress import REFINING, Meter
from vqc.codec.rate import Choice, Rate, hit_size
from vqc.codec.stream_coder import Codes, EntropyOption, StreamCoder, write_streams
from vqc.errors import OptionError
from vqc.format.container import Entropy
from vqc.models.base import CodecModel
from vqc.models.targets import Targets

Streams = Iterable[list[Targets]]  # of each tile or chunk, for some of its items at a time


def chooses(model: CodecModel, quality: float, rate: Rate, name: str) -> bool:
    """Whether codes have to be chosen; OptionError when the model called `name` has no choice."""
    asked = quality != int(quality) or effort_of(model, rate) > 0 or rate.is_target
    if asked and not model.has_targets:
        raise OptionError(
            f"the model {name} has one code for everything: give it a whole quality, no effort and no target"
        )
    return asked


def effort_of(model: CodecModel, rate: Rate) -> int:
    """That which is asked for, or the model's own."""
    return model.default_effort if rate.effort is None else rate.effort


class Chooser:
    """One medium.

    Args:
        mode: how codes are written.
        effort: see `Rate`.
        targets: those of a quality, a list for each stream.
        file_of: the file of a quality, a mode and streams.
        meter: is told of what is done, but for what `targets` does.
    """

    def __init__(
        self,
        model: CodecModel,
        mode: EntropyOption,
        effort: int,
        targets: Callable[[int], Streams],
        file_of: Callable[[int, Entropy, list[bytes]], bytes],
        meter: Meter,
    ) -> None:
        self.model, self.mode, self.refinements = model, mode, effort
        self.targets, self.file_of, self.meter = targets, file_of, meter
        self.kept: tuple[int, list[list[Targets]]] = (0, [])  # of the last quality

    @torch.inference_mode()
    def compress(self, quality: float, size: int | None) -> bytes:
        """The file of a quality, or of at most a size in bytes."""
        if size is not None:
            return hit_size(size, self.model.qualities, self.model.default_quality, self.trial)
        choice = Choice(*self.model.weight_of(quality))
        return self.write(choice, (self.refined(targets, choice) for targets in self.targets(choice.quality)))

    def trial(self, choice: Choice) -> bytes:
        """The file of a choice; what a pass of the prior needs is kept for the next one."""
        if self.kept[0] != choice.quality:
            self.kept = (0, [])
            streams = [self.refined(targets, choice) for targets in self.targets(choice.quality)]
            self.kept = choice.quality, streams
        return self.write(choice, self.kept[1])

    def refined(self, targets: list[Targets], choice: Choice) -> list[Targets]:
        """After the passes that only aim."""
        coder = StreamCoder(self.model, choice.quality)
        for target in targets:
            for _ in range(self.refinements if target.refines else 0):
                codes = coder.choose(target, choice.weight)
                target.refine(torch.from_numpy(codes.astype(np.int64)).to(target.window))
                self.meter.add(REFINING * math.prod(codes.shape[2:]))
        return targets

    def write(self, choice: Choice, streams: Streams) -> bytes:
        """The file of a choice."""
        coder = StreamCoder(self.model, choice.quality)
        parts = [self.codes(coder, targets, choice) for targets in streams]
        return self.file_of(choice.quality, *write_streams(coder, parts, self.mode, self.meter))

    def codes(self, coder: StreamCoder, targets: list[Targets], choice: Choice) -> Codes:
        """Of one stream, [A, G, ...]."""
        if not targets:
            return np.zeros((0, len(coder.sizes)), np.uint16)
        return np.concatenate([coder.choose(target, choice.weight) for target in targets])
