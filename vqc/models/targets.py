"""What an encoder would have its codes stand for, so that it can weigh errors against bits as it goes.

    signal ─ model.targets ─► Targets ─ errors of every entry at some places ─┐
                                                                              ├─► codes of least error + weight · bits
    prior (or static tables) ─────────────────────── bits of every entry ─────┘

Only the encoder's choice changes: whatever it takes, any decoder reads. Errors are in units in which one bit is worth
one at weight 1, as in entropy-constrained vector quantization (Chou, Lookabaugh and Gray 1989).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from vqc.nn.grouped_ecvq import GroupedECVQ


class Targets(ABC):
    """The codes of one tile or chunk, still to be chosen."""

    refines: ClassVar[bool] = False

    def __init__(self, codes: Tensor, inner: tuple[slice, ...]) -> None:
        """For codes int64 [B, G, ...] as `model.encode` gives them for a window; those in `inner` are to be chosen."""
        self.window, self.inner = codes, inner

    @property
    def codes(self) -> Tensor:
        """A contiguous copy of the codes to be chosen, as they are without a choice."""
        return self.window[(slice(None), slice(None), *self.inner)].clone(memory_format=torch.contiguous_format)

    def whole(self, codes: Tensor) -> Tensor:
        """The window with these codes in its inner part."""
        window = self.window.clone()
        window[(slice(None), slice(None), *self.inner)] = codes
        return window

    @abstractmethod
    def errors(self, codes: Tensor, group: int, at: tuple[Tensor, ...]) -> Tensor | None:
        """The error [N, K] of each entry, up to a constant of the place; None when codes are to stay as they are.

        Args:
            codes: int64 [B, G, ...] of the inner part; those of all parts that come before in the prior's order hold.
            group: all places are in this group.
            at: int64 [N] for the item and for each axis of the inner part.
        """

    def refine(self, codes: Tensor) -> None:
        """Aim at what makes up for the errors that these codes leave in the signal; for those that `refines` says."""
        raise NotImplementedError("these targets stay as they are")

    def _places(self, at: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Places in the window."""
        item, *axes = at
        return item, *(axis + part.start for axis, part in zip(axes, self.inner, strict=True))


def entry_errors(quantizer: GroupedECVQ, latents: Tensor, group: int, level: int) -> Tensor:
    """‖z − e_k‖² − ‖z‖² [N, K] of latents [N, D] of one group, under dictionary `level` (0-based)."""
    entries = quantizer.entries(group, level)
    return torch.addmm(entries.square().sum(1)[None].expand(len(latents), -1), latents, entries.T, alpha=-2)
