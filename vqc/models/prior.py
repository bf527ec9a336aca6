"""What every prior of codes offers: probabilities of the codes of a stream, part after part, each given those before.

::

    codes known so far ──► parts ──► where the next codes are, and their logits ──► (coded or decoded) ─┐
                  ▲                                                                                    │
                  └────────────────────────────────────────────────────────────────────────────────────┘

A prior trains in float. Once fixed (`vqc.nn.integer`) its logits are integers that are the same on every machine, and
only then may a coder use them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import ONE, IntegerModule, frequencies


class CodingStep(NamedTuple):
    """Codes whose probabilities are known together, in the order in which they are coded."""

    indices: Tensor  # int64 [N]: where they are in the flattened codes
    logits: Tensor  # [N, K], in nats; of a fixed prior float64 integers in units of 1 / 2^10 nat


class CodePrior(IntegerModule, ABC):
    """A prior for the codes of one codec model. Qualities count from 1; a batch is of one quality.

    Before use either `initialise`, or weights and then `prepare`, have to be loaded.
    """

    kind: ClassVar[str]
    config: Any

    @abstractmethod
    def __init__(self, config: Any, codec: Any) -> None:
        """For the codes of a `CodecModel`; ValueError when the config, or this kind of prior, does not fit it."""
        super().__init__()

    @abstractmethod
    def coding_steps(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """Every code of int64 [B, G, ...] once, in the order of coding.

        When a part is asked for, `codes` (contiguous) must hold the codes of all parts before it; others may hold
        anything from 0 to the size of their codebook, and make no difference.

        Args:
            mask: bool [B, ...]: only codes at these positions are wanted. All codes must be there then.
        """

    def counting_steps(self, codes: Tensor, quality: int) -> Iterator[CodingStep]:
        """The same parts and logits when all codes are there already, in any order: for those who only count bits."""
        yield from self.coding_steps(codes, quality)

    @abstractmethod
    def initialise(self, codec: Any) -> None:
        """Begin training at the order-0 tables of the codec model."""

    def prepare(self, codec: Any) -> None:
        """Make what is derived from tensors of the codec model and therefore not saved; after loading."""

    def remap_codebooks(self, old: Any, new: Any, like: Any) -> None:
        """Fit it, being fixed, for training on with the codebooks of another codec; `like`: a prior made for that."""

    def tables(self, logits: Tensor) -> Tensor:
        """What a coder uses of logits [N, K]: frequencies [N, K], whole numbers of at least 1 that sum to 2^24."""
        assert self.is_integer, "floats differ between machines"
        return frequencies(logits)

    def bits(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Tensor:
        """-log2 P of each code, in the order of coding: [N]. With gradients, of a prior that trains."""
        codes = codes.contiguous()
        flat, unit = codes.view(-1), 1 / ONE if self.is_integer else 1.0
        nats = [
            F.cross_entropy(logits * unit, flat[indices], reduction="none")
            for indices, logits in self.coding_steps(codes, quality, mask)
        ]
        return torch.cat(nats) / math.log(2)


class Codebooks(NamedTuple):
    """Groups of codes, and what their features are made of."""

    groups: EntryGroups
    entries: Tensor  # [Q, n, K, D]
    tables: list[Tensor]  # order-0 frequencies [n, K] of each quality


class EntryPrior(CodePrior):
    """A prior of codes that are entries of trained codebooks."""

    @abstractmethod
    def codebooks(self, codec: Any) -> Iterator[Codebooks]:
        """Those of the codec model for each of the prior's groups."""

    def initialise(self, codec: Any) -> None:
        for groups, entries, tables in self.codebooks(codec):
            groups.initialise(entries, tables)

    def prepare(self, codec: Any) -> None:
        for groups, entries, tables in self.codebooks(codec):
            groups.prepare(entries, tables)

    def remap_codebooks(self, old: Any, new: Any, like: Any) -> None:
        """See `CodePrior.remap_codebooks`."""
        for before, after in zip(self.codebooks(old), like.codebooks(new), strict=True):
            before.groups.remap_codebook(before.entries, before.tables, after.entries, after.tables)
