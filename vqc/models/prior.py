"""Base of all priors of codes: probabilities of the codes of a stream, step by step, each given those before.

::

    codes known so far ──► coding steps ──► indices of the next codes, and their logits ──► (coded or decoded) ─┐
                  ▲                                                                                            │
                  └────────────────────────────────────────────────────────────────────────────────────────────┘

A prior trains in float. Once quantized (`vqc.nn.integer`) its logits are integers that are the same on every machine,
and only then may a coder use them.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.ecvq import GroupedECVQ
from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import LOGIT, CodingStep, IntegerModule
from vqc.nn.integer_softmax import frequencies
from vqc.nn.sliced import slices_in


class CodePrior(IntegerModule, ABC):
    """A prior for the codes of one codec model. Qualities count from 1; a batch is of one quality.

    Before use it needs either `initialise`, or loaded weights and then `prepare`.
    """

    kind: ClassVar[str]
    config: Any
    labels: Tensor | None = None  # see `showing`

    @abstractmethod
    def __init__(self, config: Any, codec: Any) -> None:
        """For the codes of a `CodecModel`; ValueError when the config, or this kind of prior, does not fit it."""
        super().__init__()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it can be told of; their numbers are the labels. Most priors know none."""
        return getattr(self.config, "classes", ())

    @contextmanager
    def showing(self, labels: Tensor | None) -> Iterator[None]:
        """Take codes, in the meantime, to be of the classes int64 [B], or [1] for all; −1 and None say nothing.

        For drawing and for measuring: a file says nothing of classes.
        """
        before, self.labels = self.labels, labels
        try:
            yield
        finally:
            self.labels = before

    @abstractmethod
    def coding_steps(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """Give every code of int64 [B, G, *grid] once, in the order of coding.

        When a step is asked for, `codes` (contiguous) must hold the codes of all steps before it; others may hold
        anything from 0 to the size of their codebook, and are ignored.

        Args:
            mask: bool [B, *grid]: give only codes at these positions. All codes must be there then.
        """

    def counting_steps(self, codes: Tensor, quality: int) -> Iterator[CodingStep]:
        """Give the same logits when all codes are there already, in any order: for callers that only count bits."""
        yield from self.coding_steps(codes, quality)

    def most_items(self, grid: tuple[int, ...]) -> int:
        """Items of this grid that may be given together, and each in the order that it has alone."""
        return sys.maxsize

    @abstractmethod
    def initialise(self, codec: Any) -> None:
        """Begin training at the order-0 tables of the codec model."""

    def prepare(self, codec: Any) -> None:
        """Make what is derived from tensors of the codec model and therefore not saved; after loading."""

    def remap_codebooks(self, old: Any, new: Any, like: Any) -> None:
        """Fit an integer prior to the codebooks of another codec, to train it on; `like`: a prior made for that."""

    def tables(self, logits: Tensor) -> Tensor:
        """Return what a coder uses of logits [N, K]: frequencies float64 [N, K], whole numbers up to 2^24."""
        assert self.is_integer, "floats differ between machines"
        return frequencies(logits)

    def bits(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Tensor:
        """Return -log2 P of each code, in the order of coding: [N]. With gradients, of a prior that trains."""
        codes = codes.contiguous()  # [B, G, *grid]
        flat, unit = codes.view(-1), 1 / LOGIT if self.is_integer else 1.0  # of logits, in nats
        nats = [
            F.cross_entropy(logits * unit, flat[indices], reduction="none")  # [n]
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
        """Give the codebooks of the codec model for each of the prior's groups."""

    def initialise(self, codec: Any) -> None:
        for groups, entries, tables in self.codebooks(codec):
            groups.initialise(entries, tables)

    def prepare(self, codec: Any) -> None:
        for groups, entries, tables in self.codebooks(codec):
            groups.prepare(entries, tables)

    def remap_codebooks(self, old: Any, new: Any, like: Any) -> None:
        for before, after in zip(self.codebooks(old), like.codebooks(new), strict=True):
            before.groups.remap_codebook(before.entries, before.tables, after.entries, after.tables)


def codebooks_of(
    slices: nn.ModuleList, cuts: Sequence[Sequence[int]], quantizer: GroupedECVQ, tables: Sequence[Tensor]
) -> Iterator[Codebooks]:
    """Give the codebooks of each slice of `make_slices`; tables: frequencies [G, K] of each quality."""
    remaining = iter(slices_in(slices))
    for shape, cut in enumerate(cuts):
        for entries in torch.split(quantizer.whole_codebook(shape), list(cut), dim=1):  # [Q, n, K, D]
            part = next(remaining)  # a slice: some maps of one shape
            own = slice(part.first, part.first + part.count)  # rows of the tables
            yield Codebooks(part.groups, entries, [table[own] for table in tables])
