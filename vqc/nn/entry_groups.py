"""Codes that are entries of trained codebooks: how a prior reads them, and how it predicts them.

Logits of a group's codes are their logarithms in a table of the quality plus coefficients times features of the entry a
code stands for: its coordinates, their sizes and squares, its length. A network that gives coefficients says how a
distribution is shifted and stretched from the usual one, and has no codebook to learn; zero coefficients are the table.
Features are made from the codebooks by operations that are exact or correctly rounded by IEEE 754, so that they are
the same integers everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.integer import LARGEST, LOGIT, ONE, IntegerLinear, IntegerModule, round_straight_through

_LARGEST_EXPONENT = 64  # entries of any float32 stay far below 2^1024
_LOGITS_AT_ONCE = 1 << 17  # half a MiB of float32: larger ones leave the cache, or cost more to allocate than compute
# Logits are sums of products, whole numbers in units of both steps; float32 holds them while they stay below 2^24, of
# which 2^18 are for the table. Each of the features may be 32, and each coefficient 16.
_COEFFICIENT_STEP = 2.0**-7
_LARGEST_COEFFICIENT = 16 - _COEFFICIENT_STEP
_LARGEST_FEATURE = 32.0
_LARGEST_SUM = float((1 << 24) - (1 << 18))


class Features(NamedTuple):
    """What is made of the codebooks of a quality, of G groups with K entries, of which a are active."""

    outputs: Tensor  # [G, F, a]: what the logit of a code is made of
    inputs: Tensor  # [G · K, embedding_dims]: what a code is read as
    first: Tensor  # int64 [G]: rows of the first codes among these
    table: Tensor  # [G, 1, a]: logits of the table, of an integer layer


class EntryGroups(IntegerModule):
    """`count` groups with codebooks of `size` entries of `dims` coordinates at each quality; qualities count from 1.

    `initialise` or loaded weights and then `prepare` must come before use.

    Args:
        active_sizes: number of the entries that each quality uses, the first ones.
    """

    def __init__(self, count: int, dims: int, size: int, active_sizes: Sequence[int], *, width: int) -> None:
        super().__init__()
        qualities = len(active_sizes)
        self.count, self.dims, self.active_sizes = count, dims, tuple(active_sizes)
        self.embedding_dims = 2 * dims  # of a code
        self.features = 5 if dims == 1 else 3 * dims + 3
        levels = 2.0 ** math.floor(math.log2(_LARGEST_SUM / self.features / (16 / _COEFFICIENT_STEP)))
        self.step = _LARGEST_FEATURE / levels  # of features: 1/32 of one dimension, 1/8 of eight
        self.coefficients = IntegerLinear(width, count * self.features, zero=True)
        self.table = nn.Parameter(torch.zeros(qualities, count, size))
        self.register_buffer("exponents", torch.zeros(qualities, count))  # entries are divided by 2^exponent
        self.exponents: Tensor
        self._sources = dict[int, tuple[Tensor, Tensor]]()  # of each quality: see `prepare`
        self._features = dict[int, Features]()  # of each quality that was used

    def embed(self, codes: Tensor, quality: int) -> Tensor:
        """Return features [..., n · embedding_dims] of the entries of codes int64 [..., n] of the first n groups."""
        _, inputs, first, _ = self._features_of(quality)
        return self.to_fixed_point(F.embedding(codes + first[: codes.shape[-1]], inputs).flatten(-2))

    def logits(self, hidden: Tensor, groups: range, quality: int) -> Iterator[tuple[slice, Tensor]]:
        """Give the logits [n, N, K] of these groups, some at a time, from [N, width]; K: active entries.

        The slices count from the first of these groups.
        """
        outputs, table = self._terms(quality)
        c = self.tilt(hidden, groups)
        step = max(1, _LOGITS_AT_ONCE // max(1, len(hidden) * outputs.shape[2]))
        for first in range(0, len(groups), step):
            some = slice(first, min(first + step, len(groups)))
            own = slice(groups.start + some.start, groups.start + some.stop)
            yield some, torch.baddbmm(table[own], c[some], outputs[own])

    def tilt(self, hidden: Tensor, groups: range) -> Tensor:
        """Return the coefficients [n, N, F] that logits of these groups have, from [N, width]."""
        c = self.coefficients(hidden, outputs=slice(groups.start * self.features, groups.stop * self.features))
        return self._rounded(c).view(-1, len(groups), self.features).transpose(0, 1)

    def in_bits(self, quality: int) -> Tensor:
        """Return what bits of entries are made of, [G, F + 1, K]: `tilt` says how much of each, and 1 of the last.

        What all entries have in common is left out.
        """
        outputs, table = self._terms(quality)
        unit = LOGIT if self.is_integer else 1.0
        return torch.cat([outputs, table], 1).detach() / (-unit * math.log(2))

    def _terms(self, quality: int) -> tuple[Tensor, Tensor]:
        """Return features [G, F, K] of entries and their logits in the table, [G, 1, K]."""
        outputs, _, _, table = self._features_of(quality)
        # a parameter may have changed
        return outputs, table if self.is_integer else self.table[quality - 1, :, None, : outputs.shape[2]]

    def _rounded(self, c: Tensor) -> Tensor:
        """Return coefficients in their step, as floats: of nats while training, of units of logits as integers."""
        if self.is_integer:
            step, limit = _COEFFICIENT_STEP * ONE, _LARGEST_COEFFICIENT / _COEFFICIENT_STEP
            return c.mul(1 / step).round_().clamp_(-limit, limit).mul_(_COEFFICIENT_STEP * LOGIT)
        if not self.coefficients.rounds:
            return c
        return round_straight_through(c.clamp(-_LARGEST_COEFFICIENT, _LARGEST_COEFFICIENT), _COEFFICIENT_STEP)

    @torch.no_grad()
    def initialise(self, entries: Tensor, tables: Sequence[Tensor]) -> None:
        """Begin at tables (frequencies [n, any K] of each quality, n <= count) of entries [Q, count, K, D]."""
        for q, frequencies in enumerate(self._cut(tables)):
            own, size = frequencies.shape
            log_p = _log_probabilities(frequencies)  # [n, K]
            square = entries[q, :own, :size].double().square().sum(-1) / self.dims
            spread = (log_p.exp() * square).sum(1).clamp_min(1e-2 * square.mean(1)).clamp_min(1e-6).sqrt()
            self.table[q, :own, :size] = log_p
            self.exponents[q, :own] = spread.log2().round()
        self.prepare(entries, tables)

    def prepare(self, entries: Tensor, tables: Sequence[Tensor]) -> None:
        """Take entries [Q, count, K, D], whose features are made when a quality is first used.

        The most frequent code of each table has a feature of its own.
        """
        sources = zip(entries.detach(), self._cut(tables), strict=True)
        self._sources = {q + 1: source for q, source in enumerate(sources)}
        self._features = {}

    def _features_of(self, quality: int) -> Features:
        """Return the features of the entries of a quality, which are made once."""
        if quality not in self._features:
            with torch.inference_mode(False), torch.no_grad():  # training may use them later
                self._features[quality] = self._made_features(quality)
        return self._features[quality]

    @property
    def _nothing(self) -> tuple[Tensor, Tensor]:
        """Codebooks of zeros without tables, of a network whose time is measured before it knows its codec."""
        size = self.table.shape[-1]
        return torch.zeros(self.count, size, self.dims), torch.zeros(0, size)

    def _made_features(self, quality: int) -> Features:
        """Make them, on the device of the layer."""
        sources = self._sources.get(quality, self._nothing)
        entries, frequencies = (source.to(self.exponents.device) for source in sources)
        # A power of two scales exactly; floor, sqrt and products of integers below 2^53 are correctly rounded.
        exponents = self.exponents[quality - 1].to(entries).double()
        x = entries.double() * 2.0 ** -exponents[:, None, None]  # [G, K, D]
        x = torch.floor(x * ONE + 0.5).clamp(-LARGEST, LARGEST)
        size = x.abs()
        root = torch.floor(torch.sqrt(size * ONE))
        mode = torch.zeros(x.shape[:-1], dtype=torch.float64, device=x.device)  # one-hot: the most frequent code
        mode[: len(frequencies)].scatter_(1, frequencies.argmax(1, keepdim=True), float(ONE))
        parts = [x, size, torch.floor(x.square() / (8 * ONE)), root, mode[..., None]]
        if self.dims > 1:
            length = torch.floor(torch.sqrt(x.square().sum(-1, keepdim=True)))
            parts[3:4] = [length, torch.floor(torch.sqrt(length * ONE))]
        features = (torch.cat(parts, -1) / (ONE * self.step)).round() * self.step
        limit = _LARGEST_FEATURE - self.step
        active, groups = self.active_sizes[quality - 1], torch.arange(self.count, device=x.device)
        table = self.table[quality - 1, :, None, :active].detach() * (LOGIT / ONE)
        return Features(
            outputs=features.clamp(-limit, limit)[:, :active].transpose(1, 2).float(),
            inputs=torch.cat([x, x.sign() * root], -1).float().flatten(0, 1),
            first=groups * x.shape[1],
            table=table,
        )

    def _apply(self, fn: Any, recurse: bool = True) -> Self:  # another device
        self._features = {}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._features = {}
        super()._load_from_state_dict(*args, **kwargs)

    @torch.no_grad()
    def remap_codebook(
        self, known: Tensor, known_tables: Sequence[Tensor], entries: Tensor, tables: Sequence[Tensor]
    ) -> None:
        """Fit the integers of a fixed table to other entries [Q, count, K', D].

        Each is rated by its own chance, and by how far the table departs from the chance of its counterpart: the one
        that would be chosen for it, by squared error and bits (the nearest may be idle), or itself if it is there.

        Args:
            known: the entries [Q, count, K, D] that it is for.
            known_tables: their order-0 frequencies [n, any K] at each quality.
            tables: those of the other entries.
        """
        exactly = "donot_use_mm_for_euclid_dist"
        costs = torch.cdist(entries.double(), known.double(), compute_mode=exactly).square()  # [Q, G, K', K]
        same = costs == 0
        departure = torch.zeros(self.table.shape, device=self.table.device)  # [Q, G, K]
        for q, frequencies in enumerate(self._cut(known_tables)):
            own, used = len(frequencies), self.active_sizes[q]
            log_p = _log_probabilities(frequencies[:, :used])
            costs[q, :own, :, :used] -= log_p.div(math.log(2))[:, None]
            costs[q].masked_fill_(same[q], -torch.inf)
            costs[q, ..., used:] = torch.inf
            departure[q, :own, :used] = self.table[q, :own, :used] - log_p * ONE
        table = departure.gather(2, costs.argmin(-1))
        for q, frequencies in enumerate(tables):
            log_p = _log_probabilities(frequencies[:, : table.shape[-1]])
            table[q, : len(log_p), : log_p.shape[1]] += torch.round(log_p * ONE)
        self._features = {}
        self.register_buffer("table", table.round().clamp(-LARGEST, LARGEST).to(torch.int16))

    def _cut(self, tables: Sequence[Tensor]) -> list[Tensor]:
        """Leave out the columns that are there for larger codebooks."""
        return [table[:, : self.table.shape[-1]] for table in tables]

    def _quantize(self) -> None:
        table, exponents = self.table.detach() * ONE, self.exponents
        if not bool(table.isfinite().all()) or not bool((exponents.abs() <= _LARGEST_EXPONENT).all()):
            raise OverflowError(f"a table is not of numbers, or exponents of entries are beyond {_LARGEST_EXPONENT}")
        del self.table
        self._features = {}
        self.register_buffer("table", table.round().clamp(-LARGEST, LARGEST).to(torch.int16))
        self.register_buffer("exponents", exponents.to(torch.int8))

    def dequantized(self) -> dict[str, Tensor]:
        return {"table": self.table / ONE}

    def _check_bounds(self) -> None:  # sums of coefficients and features are bounded by what these can be
        self._features = {}  # whoever asks may have changed what is stored
        if int(self.exponents.max()) > _LARGEST_EXPONENT or int(self.exponents.min()) < -_LARGEST_EXPONENT:
            raise OverflowError(f"exponents of entries are beyond {_LARGEST_EXPONENT}")


def _log_probabilities(frequencies: Tensor) -> Tensor:
    """Return natural logarithms of the shares of frequencies [n, K]; of a frequency 0, that of 1e-9."""
    return (frequencies.double() / frequencies.double().sum(-1, keepdim=True)).clamp_min(1e-9).log()
