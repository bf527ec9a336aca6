"""Code maps predicted slice by slice and pass by pass: the same for tiles (2-D) and for frames (1-D).

::

    context ─(+)──────────────(+)─ network ─► logits of some of a slice's codes at some positions
              ▲                ▲
     codes at neighbours   codes of earlier
     of earlier passes     channel steps at
                           the position itself
    context ◄─ network over a neighbourhood ◄─ codes of the slice

The code maps of one shape are cut into slices, coarse to fine. Of each slice the positions become known in a few passes
over a lattice that grows finer, each pass from neighbours on all sides; at a position its codes come at once or in
steps. So the number of passes does not depend on the size of the grid. What is lost against one position after the
other is little: the chain rule of entropy holds in any order, and positions between known ones say much about each
other.

Shapes: B items, `*grid` is (height, width) or (frames,) with N positions, C channels of context, G code maps. Codes
are read from the flattened codes through an index [B, *grid, G], because those of later passes are not there yet.
Rows are positions of all items, numbered from 0 to B · N - 1.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.ecvq import GroupedECVQ, Tilts
from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import ONE, CodingStep, IntegerLinear, IntegerModule
from vqc.nn.integer_conv import IntegerConv

Offsets = tuple[tuple[int, ...], ...]  # of neighbours, in positions along each axis of the grid


class Pass(NamedTuple):
    """Positions that become known together."""

    level: int  # number of the pass; passes without a position are left out
    unit: int  # distance between the positions of the lattice, this pass included
    positions: Tensor  # int64 [n]: in the flattened grid, ascending
    offsets: Offsets  # of neighbours that are known from earlier passes, or outside; none in the first pass

    def rows(self, items: int, grid: Sequence[int], mask: Tensor | None = None) -> Tensor:
        """Return the rows int64 [n] of the pass in a batch, item after item, where `mask` bool [B, *grid] is true."""
        rows = math.prod(grid) * torch.arange(items, device=self.positions.device)[:, None] + self.positions  # [B, n]
        return rows.flatten() if mask is None else rows[mask.flatten(1)[:, self.positions]]


class Placed(NamedTuple):
    """A pass in a batch."""

    step: Pass
    rows: Tensor  # int64 [n]: see `Pass.rows`
    sources: Tensor  # int64 [m]: rows of all their neighbours, each once
    around: Tensor  # int64 [n, T]: which of these are the neighbours of each
    inside: Tensor  # bool [n, T]


class Lattice(ABC):
    """The order in which the positions of a grid become known.

    Args:
        levels: number of passes.
        extra: how many of the passes that have neighbours, the coarsest, were added to an order that was coarser.
    """

    neighbours: ClassVar[int] = 4  # of each position, in all passes but the first
    marks_edges: ClassVar[bool]  # whether a network is told which neighbours are outside the grid
    kernel: ClassVar[tuple[int, ...]]  # positions that an update of the context looks at

    def __init__(self, levels: int, extra: int) -> None:
        self.levels, self.extra = levels, extra

    @abstractmethod
    def passes(self, grid: Sequence[int], device: torch.device) -> Iterator[Pass]:
        """Cut all positions of a grid into passes, coarse to fine."""

    def placed(
        self, items: int, grid: Sequence[int], device: torch.device, mask: Tensor | None = None
    ) -> Iterable[Placed]:
        """Place the passes in a batch, those with positions where `mask` bool [B, *grid] is true."""
        if mask is None:
            return _all_placed(self, items, tuple(grid), device)
        return (found for step in self.passes(grid, device) if (found := _place(step, items, grid, mask)).rows.shape[0])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.levels, self.extra))


class LineLattice(Lattice):
    """Frames: every `unit`-th, then those half-way between, down to every one; or coarser lattices before.

    Neighbours are at ±1 and ±3 units of the pass.
    """

    marks_edges = True  # chunks are short: many frames lack neighbours
    kernel = (5,)

    def __init__(self, unit: int, extra: int) -> None:
        super().__init__(unit.bit_length() + extra, extra)

    def passes(self, grid: Sequence[int], device: torch.device) -> Iterator[Pass]:
        (frames,) = grid
        for level in range(self.levels):
            unit = 1 << (self.levels - 1 - level)
            if level == 0:
                yield Pass(level, unit, torch.arange(0, frames, unit, device=device), ())
            elif unit < frames:
                offsets = tuple((offset * unit,) for offset in (-3, -1, 1, 3))
                yield Pass(level, unit, torch.arange(unit, frames, 2 * unit, device=device), offsets)


class BoardLattice(Lattice):
    """Squares of a board: the last pass has the white ones, the one before the black ones of odd rows, and so on.

    The first pass has what is left. Neighbours are the four nearest: straight ones of a white square, else diagonal.
    """

    marks_edges = False
    kernel = (3, 3)

    def __init__(self, passes: int) -> None:
        super().__init__(passes, max(0, passes - 2))

    def passes(self, grid: Sequence[int], device: torch.device) -> Iterator[Pass]:
        height, width = grid
        row = torch.arange(height, device=device)[:, None]  # [h, 1]
        column = torch.arange(width, device=device)  # [w]
        for level in range(self.levels):
            left = self.levels - 1 - level  # passes that follow
            u = 1 << left // 2
            here = (row % u == 0) & (column % u == 0)  # [h, w]
            white = (row // u + column // u) % 2 == 1
            if left % 2 == 0:
                here, offsets = here & (white | (level == 0)), ((-u, 0), (u, 0), (0, -u), (0, u))
            else:
                odd = (row // u % 2 == 1) | (level == 0)
                here, offsets = here & ~white & odd, ((-u, -u), (-u, u), (u, -u), (u, u))
            positions = here.flatten().nonzero()[:, 0]
            if len(positions):
                yield Pass(level, u, positions, offsets if level else ())


def neighbours(rows: Tensor, offsets: Offsets, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the rows int64 [n, T] of the neighbours of rows int64 [n], and which are inside the grid, bool [n, T].

    Row 0 stands for those outside.
    """
    moved, inside, stride = rows[:, None], torch.ones(len(rows), len(offsets), dtype=torch.bool, device=rows.device), 1
    steps = torch.tensor(offsets, device=rows.device)  # [T, axes]
    for size, step in zip(reversed(grid), reversed(steps.unbind(1)), strict=True):  # the last axis lies closest
        coordinate = (rows // stride % size)[:, None] + step  # [n, T]
        inside = inside & (coordinate >= 0) & (coordinate < size)
        moved, stride = moved + stride * step, stride * size
    return torch.where(inside, moved, 0), inside


def _place(step: Pass, items: int, grid: Sequence[int], mask: Tensor | None = None) -> Placed:
    rows = step.rows(items, grid, mask)
    around, inside = neighbours(rows, step.offsets or ((0,) * len(grid),), grid)
    sources, numbers = torch.unique(around, return_inverse=True)
    return Placed(step, rows, sources, numbers, inside)


@lru_cache(maxsize=16)  # slices of a prior have few lattices, and tiles of a photo few sizes
def _all_placed(lattice: Lattice, items: int, grid: tuple[int, ...], device: torch.device) -> tuple[Placed, ...]:
    with torch.inference_mode(False):  # training may use them later
        return tuple(_place(step, items, grid) for step in lattice.passes(grid, device))


class ContextUpdate(IntegerModule):
    """Works what has become known of each position into the context of its neighbourhood."""

    def __init__(self, inputs: int, width: int, kernel: tuple[int, ...], qualities: int) -> None:
        super().__init__()
        self.input_proj = IntegerLinear(inputs, width, qualities=qualities)
        self.neighbourhood = IntegerConv(width, width, kernel, qualities=qualities)
        self.output_proj = IntegerLinear(width, width, precise=True)  # with one byte: 0.05 % more bits

    def forward(self, known: Tensor, context: Tensor, quality: int) -> Tensor:
        """Features of the codes [B, *grid, inputs or fewer] and context [B, *grid, C] to the next context."""
        x = self.input_proj(known, quality, inputs=slice(known.shape[-1]))  # [B, *grid, C]
        x = self.neighbourhood(x.add_(context) if self.is_integer else x + context, quality, rectified=True)
        return self.added(self.output_proj(x, rectified=True), context)


@dataclass(frozen=True)
class HeadSizes:
    """Sizes that the heads of a prior have in common."""

    width: int  # of the context
    head_width: int
    neighbour_width: int  # of the features of a neighbour
    qualities: int
    dropout: float = 0.0


class LatticeHead(IntegerModule, ABC):
    """A network for some code maps: from the context, and in each pass from what the maps hold at the neighbours.

    Args:
        first: of the code maps of an index that it is for.
        count: of these maps.
        embedding_width: of the features of all its codes at a position.
    """

    def __init__(self, lattice: Lattice, first: int, count: int, embedding_width: int, sizes: HeadSizes) -> None:
        super().__init__()
        self.lattice, self.first, self.count = lattice, first, count
        width, qualities = sizes.head_width, sizes.qualities
        inputs = lattice.neighbours * (sizes.neighbour_width + lattice.marks_edges)
        self.context_proj = IntegerLinear(sizes.width, width, qualities=qualities)
        self.neighbour_proj = nn.ModuleList(
            IntegerLinear(inputs, width, qualities=qualities) for _ in range(lattice.levels - 1 - lattice.extra)
        )
        self.coarse_neighbour_proj = nn.ModuleList(  # zero: a finer order begins as the coarser one was
            IntegerLinear(inputs, width, qualities=qualities, zero=True) for _ in range(lattice.extra)
        )
        self.head = IntegerLinear(width, width, qualities=qualities)
        self.update_context = ContextUpdate(embedding_width, sizes.width, lattice.kernel, qualities)
        self.dropout = nn.Dropout(sizes.dropout)

    @abstractmethod
    def embed(self, codes: Tensor, quality: int) -> Tensor:
        """Return features [..., embedding_width or less] of codes int64 [..., maps or fewer]."""

    def embed_for_neighbours(self, codes: Tensor, quality: int) -> Tensor:
        """Return features [..., neighbour_width] of codes int64 [..., maps or fewer]."""
        return self.embed(codes, quality)

    def own(self, index: Tensor) -> Tensor:
        """Cut the index [B, *grid, G] to that of its own code maps, those that are coded."""
        return index[..., self.first : self.first + self.count]

    def update(self, flat: Tensor, index: Tensor, context: Tensor, quality: int) -> Tensor:
        """Return the next context [B, *grid, C], once all its codes are known."""
        updated: Tensor = self.update_context(self.embed(flat[self.own(index)], quality), context, quality)
        return updated

    def passes(
        self, flat: Tensor, places: Tensor, context: Tensor, quality: int, mask: Tensor | None
    ) -> Iterator[tuple[Pass, Tensor, Tensor]]:
        """Give each pass, its rows int64 [n], and what context and neighbours say there, [n, head_width].

        Args:
            places: its own index [B · N, maps].
        """
        items, *grid = context.shape[:-1]
        context = context.flatten(0, -2)  # [B · N, C]
        for placed in self.lattice.placed(items, grid, flat.device, mask):
            step, rows = placed.step, placed.rows
            hidden = self.context_proj(context[rows], quality)  # [n, head_width]
            if step.offsets:
                known = self.embed_for_neighbours(flat[places[placed.sources]], quality)  # [m, neighbour_width]
                hidden = self.added(hidden, self._from_neighbours(known, placed, quality))
            yield step, rows, hidden

    def _from_neighbours(self, known: Tensor, placed: Placed, quality: int) -> Tensor:
        step, _, _, around, inside = placed
        taps = torch.where(inside[..., None], F.embedding(around, known), 0)  # [n, T, neighbour_width]
        if self.lattice.marks_edges:
            taps = torch.cat([taps, self.to_fixed_point(inside[..., None] * ONE)], -1)
        layers = [*self.coarse_neighbour_proj, *self.neighbour_proj]
        summed: Tensor = layers[step.level - 1](taps.flatten(1), quality)
        return summed  # [n, head_width]


class Slice(LatticeHead):
    """Some code maps of one shape, whose codes are entries of codebooks.

    Args:
        channel_steps: number of steps in which the codes of a position come.
    """

    def __init__(self, groups: EntryGroups, lattice: Lattice, first: int, channel_steps: int, sizes: HeadSizes) -> None:
        embedding_width = groups.count * groups.embedding_dims
        super().__init__(lattice, first, groups.count, embedding_width, sizes)
        self.groups = groups
        self.ends = [round(step * groups.count / channel_steps) for step in range(channel_steps + 1)]
        if lattice.levels > 1:
            # With inputs of one byte: 0.1 % more bits.
            self.embed_proj = IntegerLinear(
                embedding_width, sizes.neighbour_width, qualities=sizes.qualities, precise=True
            )
        if channel_steps > 1:
            self.previous_proj = IntegerLinear(embedding_width, sizes.head_width, qualities=sizes.qualities, zero=True)

    def embed(self, codes: Tensor, quality: int) -> Tensor:
        return self.groups.embed(codes, quality)

    def embed_for_neighbours(self, codes: Tensor, quality: int) -> Tensor:
        features = self.embed(codes, quality)
        return self.relu(self.embed_proj(features, quality, inputs=slice(features.shape[-1])))

    def coding_steps(
        self, flat: Tensor, index: Tensor, context: Tensor, quality: int, mask: Tensor | None
    ) -> Iterator[CodingStep]:
        """Give each of its codes once, those at positions in `mask` bool [B, *grid] if there is one.

        Args:
            flat: the flattened codes int64; when a step is asked for it must hold those of all steps before.
            index: int64 [B, *grid, G]: where each code is in the flattened ones.
            context: [B, *grid, C].
        """
        places = self.own(index).flatten(0, -2)  # [B · N, maps]
        for rows, groups, hidden in self._steps(flat, places, context, quality, mask):
            indices = places[rows, groups.start : groups.stop].T  # [maps of the step, n]
            for some, logits in self.groups.logits(hidden, groups, quality):  # [some maps, n, K]
                yield CodingStep(indices[some].flatten(), logits.flatten(0, 1))

    def tilts(self, flat: Tensor, index: Tensor, context: Tensor, quality: int) -> Tilts:
        """Return what the bits of all its codes are made of, which are there already; see `EntryGroups.in_bits`."""
        places = self.own(index).flatten(0, -2)  # [B · N, maps]
        features = self.groups.in_bits(quality)[: places.shape[1]]
        coefficients = context.new_ones(len(features), len(places), features.shape[1])
        for rows, groups, hidden in self._steps(flat, places, context, quality, None):
            coefficients[groups.start : groups.stop, rows, :-1] = self.groups.tilt(hidden, groups)
        return Tilts(coefficients, features)

    def _steps(
        self, flat: Tensor, places: Tensor, context: Tensor, quality: int, mask: Tensor | None
    ) -> Iterator[tuple[Tensor, range, Tensor]]:
        """Give rows int64 [n] and groups whose codes come together, and what is known of them, [n, head_width].

        Args:
            places: its own index [B · N, maps].
        """
        for _, rows, known in self.passes(flat, places, context, quality, mask):
            own = places[rows]  # [n, maps]
            for start, end in pairwise(self.ends):
                if start < own.shape[1]:  # a low quality has fewer maps
                    hidden = known
                    if start:
                        before = self.embed(flat[own[:, :start]], quality)  # [n, start · embedding_dims]
                        told = self.previous_proj(before, quality, inputs=slice(before.shape[-1]))
                        hidden = self.added(told, hidden)
                    hidden = self.dropout(self.relu(self.head(hidden, quality, rectified=True)))
                    yield rows, range(start, min(end, own.shape[1])), hidden


def make_slices(
    quantizer: GroupedECVQ,
    cuts: Sequence[Sequence[int]],
    orders: Iterator[tuple[Lattice, int]],
    first: int,
    sizes: HeadSizes,
) -> nn.ModuleList:
    """Cut the code maps of a quantizer into slices; ValueError when these do not add up.

    Args:
        cuts: number of maps of each slice, for each shape of groups.
        orders: lattice and channel steps of each slice in turn.
        first: number of the first of the maps in an index.
    """
    if [sum(cut) for cut in cuts] != [count for count, _, _ in quantizer.groups]:
        raise ValueError(f"slices {cuts} do not add up to the code maps {quantizer.groups}")
    slices = nn.ModuleList()
    active_sizes = zip(*quantizer.active_sizes, strict=True)  # of each shape, by quality
    for cut, (_, dims, size), active in zip(cuts, quantizer.groups, active_sizes, strict=True):
        for count in cut:
            lattice, channel_steps = next(orders)
            if not 1 <= channel_steps <= count:
                raise ValueError(f"a slice of {count} maps cannot be coded in {channel_steps} steps")
            groups = EntryGroups(count, dims, size, active, width=sizes.head_width)
            slices.append(Slice(groups, lattice, first, channel_steps, sizes))
            first += count
    return slices


def slices_in(modules: nn.ModuleList) -> list[Slice]:
    """Return the slices of a list that `make_slices` made."""
    return cast(list[Slice], list(modules))
