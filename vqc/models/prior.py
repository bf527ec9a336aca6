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
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.entropy.inverse_transform import RandomBits, draw, keep_likeliest, random_bits
from vqc.nn.ecvq import GroupedECVQ
from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import LOGIT, CodingStep, IntegerModule
from vqc.nn.integer_softmax import ONE_TEMPERATURE, Softmax, frequencies
from vqc.nn.sliced import slices_in

NO_CLASS = -1  # the label of an item of which nothing is said
_CODES = 1 << 20  # drawn together: bounds memory
_ROWS = 512  # tables made at a time, to stay in the cache
_THOUSANDTHS = 1000  # temperature and share of the likeliest are whole numbers of these


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
        self.config = config
        self.group_counts = tuple(len(codec.codebook_sizes(q + 1)) for q in range(codec.qualities))

    @property
    def block(self) -> int | None:
        """Positions along each axis that see each other; None: all of a stream."""
        return None

    @property
    def ends(self) -> tuple[int, ...]:
        """Numbers of code maps, ascending, after which the codes of a stream may end: those behind are 0 then."""
        return ()

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

    def sampling_steps(self, codes: Tensor, quality: int, mask: Tensor) -> Iterator[CodingStep]:
        """Give the codes at the positions of a mask in an order of drawing: that of coding, where nothing else is said.

        Unlike in `coding_steps`, codes at these positions need not be there before they are asked for.
        """
        yield from self.coding_steps(codes, quality, mask)

    @abstractmethod
    def initialise(self, codec: Any) -> None:
        """Begin training at the order-0 tables of the codec model."""

    def prepare(self, codec: Any) -> None:
        """Make what is derived from tensors of the codec model and therefore not saved; after loading."""

    def remap_codebooks(self, old: Any, new: Any, like: Any) -> None:
        """Fit an integer prior to the codebooks of another codec, to train it on; `like`: a prior made for that."""

    def tables(self, logits: Tensor, temperature: Fraction = ONE_TEMPERATURE) -> Tensor:
        """Return what a coder uses of logits [N, K]: frequencies float64 [N, K], whole numbers up to 2^24."""
        assert self.is_integer, "floats differ between machines"
        return frequencies(logits, temperature)

    def softmax(self, temperature: Fraction = ONE_TEMPERATURE) -> Softmax:
        """Return what makes `tables`, each in the memory of the one before."""
        assert self.is_integer, "floats differ between machines"
        return Softmax(temperature, keep=True)

    @torch.inference_mode()
    def sample(
        self,
        count: int,
        grid: Sequence[int],
        quality: int = 1,
        *,
        seed: int = 0,
        first: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        guidance: float = 1.0,
        known: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Draw codes int64 [count, G, *grid], on the device of the prior; of an integer prior the same everywhere.

        A seed gives the same codes on every machine, for any number of threads and of items that are drawn together.
        See `vqc.entropy.inverse_transform`. Temperature, share and guidance are rounded to thousandths.

        Args:
            grid: (height, width) or (frames,) of the code maps.
            first: number of the first item: items 3 and 4 of a seed are the same, whether drawn after 0 to 2 or not.
            temperature: what logits are divided by, above 0; less than 1 makes likely codes likelier.
            top_p: draw only from the likeliest codes that have this share of the probability together, above 0 up to 1.
            guidance: how far logits go from those of no class towards those of the class that is shown, and beyond it
                above 1 (Ho and Salimans 2022, "Classifier-free diffusion guidance"). Takes twice the time.
            known: int64 [G, *grid], codes that are given.
            mask: bool [*grid], the positions to draw. What is known elsewhere counts as far as it comes earlier in the
                order of coding. None: all.
        """
        device, groups = next(self.buffers()).device, self.group_counts[quality - 1]
        scale, share = in_thousandths(temperature), in_thousandths(top_p)
        # codes that are still to be drawn are not read, so any will do
        drawn = torch.zeros(count, groups, *grid, dtype=torch.int64, device=device)
        if known is not None:
            drawn[:] = known
        asked = torch.ones(tuple(grid), dtype=torch.bool) if mask is None else mask
        moved = in_thousandths(1.0 if self.labels is None else guidance)
        together = max(1, _CODES // max(1, groups * math.prod(grid)))
        if moved != 1:
            together = max(1, min(together, self.most_items(tuple(grid)) // 2))  # each item is there twice
        for codes in torch.split(drawn, together):
            places = codes[0].numel()  # each code has random bits of its own, whatever the order and the batch
            bits = np.concatenate([random_bits(seed, first + i, places) for i in range(len(codes))])
            wanted = asked.to(device).expand(len(codes), *grid)
            if moved == 1:
                steps = self.sampling_steps(codes, quality, wanted)
            else:
                steps = self._guided(codes, quality, wanted, moved)
            self._fill(codes, steps, bits, scale, share)
            first += len(codes)
        return drawn

    def _fill(
        self, codes: Tensor, steps: Iterator[CodingStep], bits: RandomBits, temperature: Fraction, share: Fraction
    ) -> None:
        """Draw what the steps ask for of codes [B, G, *grid] from bits [B · G · positions]."""
        flat, softmax = codes.view(-1), self.softmax(temperature)
        for indices, logits in steps:
            for start in range(0, len(indices), _ROWS):
                index = indices[start : start + _ROWS]
                tables = softmax(logits[start : start + _ROWS]).cpu().numpy()  # [N, K]
                symbols = draw(keep_likeliest(tables, share), bits[index.cpu().numpy()])
                flat[index] = torch.from_numpy(symbols).to(flat.device)

    def _guided(self, codes: Tensor, quality: int, mask: Tensor, guidance: Fraction) -> Iterator[CodingStep]:
        """Give sampling steps whose logits are moved away from those of no class; `codes` are drawn meanwhile."""
        assert self.labels is not None, "whoever calls has looked"
        twins, count = torch.cat([codes, codes]), codes.numel()  # [2 B, G, *grid]: told the class, and told nothing
        told = self.labels.expand(len(codes))
        with self.showing(torch.cat([told, torch.full_like(told, NO_CLASS)])):
            for indices, logits in self.sampling_steps(twins, quality, torch.cat([mask, mask])):
                own, other = indices.chunk(2)  # [N] each
                assert torch.equal(other, own + count), "twins are given together"
                with_class, without = logits.to(torch.int64).chunk(2)  # [N, K] each
                further = (with_class - without) * guidance.numerator
                guided = without + torch.div(further, guidance.denominator, rounding_mode="floor")
                yield CodingStep(own, guided.to(logits.dtype))  # exact: they stay far below 2^24
                twins.view(-1)[indices] = codes.view(-1)[own].repeat(2)

    def bits(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Tensor:
        """Return -log2 P of each code, in the order of coding: [N]. With gradients, of a prior that trains."""
        codes = codes.contiguous()  # [B, G, *grid]
        flat, unit = codes.view(-1), 1 / LOGIT if self.is_integer else 1.0  # of logits, in nats
        nats = [
            F.cross_entropy(logits * unit, flat[indices], reduction="none")  # [n]
            for indices, logits in self.coding_steps(codes, quality, mask)
        ]
        return torch.cat(nats) / math.log(2)


def in_thousandths(number: float) -> Fraction:
    """Return the fraction that stands for a temperature or a share: the nearest whole number of thousandths."""
    return Fraction(round(number * _THOUSANDTHS), _THOUSANDTHS)


class Codebooks(NamedTuple):
    """Groups of codes, and what their features are made of."""

    groups: EntryGroups
    entries: Tensor  # [Q, n, K, D]
    tables: list[Tensor]  # order-0 frequencies [n, K] of each quality


class EntryPrior(CodePrior):
    """A prior of codes that are entries of the trained codebooks of a model of its own kind."""

    def __init__(self, config: Any, codec: Any) -> None:
        super().__init__(config, codec)
        if codec.kind != self.kind:
            raise ValueError(f"it is for a model of kind {self.kind}, not {codec.kind}")

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
    for cut, codebook in zip(cuts, quantizer.whole_codebooks(), strict=True):  # [Q, G, K, D] of each shape
        for entries in torch.split(codebook, list(cut), dim=1):  # [Q, n, K, D]
            part = next(remaining)  # a slice: some maps of one shape
            own = slice(part.first, part.first + part.count)  # rows of the tables
            yield Codebooks(part.groups, entries, [table[own] for table in tables])
