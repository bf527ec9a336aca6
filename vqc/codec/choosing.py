"""Codes that are chosen by error and bits: between two qualities, with more effort, or for a size that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from vqc.codec.container import Entropy
from vqc.codec.rate import Choice, Rate, hit_size
from vqc.codec.streams import EntropyOption, StreamCoder, write_streams
from vqc.errors import OptionError
from vqc.models.base import CodecModel
from vqc.models.targets import Targets

Streams = Iterable[list[Targets]]  # of each tile or chunk, for some of its items at a time


def chooses(model: CodecModel, quality: float, rate: Rate, name: str) -> bool:
    """Whether codes have to be chosen; OptionError when the model called `name` has no choice."""
    asked = quality != int(quality) or rate.effort > 0 or rate.is_target
    if asked and not model.has_targets:
        raise OptionError(
            f"the model {name} has one code for everything: give it a whole quality, no effort and no target"
        )
    return asked


class Chooser:
    """One medium.

    Args:
        mode: how codes are written.
        effort: see `Rate`; 0 counts as 1.
        targets: those of a quality, a list for each stream.
        file_of: the file of a quality, a mode and streams.
    """

    def __init__(
        self,
        model: CodecModel,
        mode: EntropyOption,
        effort: int,
        targets: Callable[[int], Streams],
        file_of: Callable[[int, Entropy, list[bytes]], bytes],
    ) -> None:
        self.model, self.mode, self.refinements = model, mode, max(effort, 1) - 1
        self.targets, self.file_of = targets, file_of
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
                codes, _ = coder.choose([target], self.entropy(coder), self.weight(choice))
                target.refine(torch.from_numpy(codes.astype(np.int64)).to(target.window))
        return targets

    def write(self, choice: Choice, streams: Streams) -> bytes:
        """The file of a choice."""
        coder = StreamCoder(self.model, choice.quality)
        entropy = self.entropy(coder)
        chosen = [coder.choose(targets, entropy, self.weight(choice)) for targets in streams]
        parts, written = [codes for codes, _ in chosen], [stream for _, stream in chosen]
        return self.file_of(choice.quality, *write_streams(coder, parts, self.mode, {entropy: written}))

    def weight(self, choice: Choice) -> float:
        """Of a bit."""
        return choice.weight * self.model.bit_weight

    def entropy(self, coder: StreamCoder) -> Entropy:
        """The mode whose bits count."""
        return coder.modes[0] if self.mode == "auto" or self.mode == "none" else self.mode
