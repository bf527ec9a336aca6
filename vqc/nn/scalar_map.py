"""Maps of scalars on a lattice: logits are functions of the distance between a value and known ones nearby.

A scalar (a mean colour, a pitch) has neighbours on its own scale: what a network has to say is mostly "near this
value, so sharply". So it gives coefficients of a few trained functions of the distance, and no logit for each value.
`ScalarMaps` is for several maps over a tile, `StateMap` for one over frames, whose value 0 means that there is none.
Shapes are those of `vqc.nn.sliced`; K is the number of values and M that of maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from vqc.nn.integer import ONE, CodingStep, IntegerEmbedding, IntegerLinear, IntegerModule
from vqc.nn.sliced import BoardLattice, ContextUpdate, HeadSizes, LatticeHead, LineLattice, Pass, neighbours

_REACH = 2  # neighbours to each side: 5×5 positions without the one in the middle
_OFFSETS = tuple((y, x) for y in range(-_REACH, _REACH + 1) for x in range(-_REACH, _REACH + 1) if (y, x) != (0, 0))
_GUESS_WEIGHTS = tuple(  # binomial filter over 3×3: 2 for straight neighbours, 1 for diagonal ones, 0 beyond
    0 if max(abs(y), abs(x)) > 1 else 3 - abs(y) - abs(x) for y, x in _OFFSETS
)


class DistanceLogits(IntegerModule):
    """Logits of the values 0 … K - 1 from a network's output and a known value.

    Args:
        shapes: [R, 2K - 1], functions of the distance from 1 - K to K - 1 that training begins with.
    """

    def __init__(self, inputs: int, shapes: Tensor) -> None:
        super().__init__()
        count, distances = shapes.shape
        self.size = (distances + 1) // 2
        self.coefficients = IntegerLinear(inputs, count, zero=True)
        self.shapes = IntegerLinear(count, distances)
        with torch.no_grad():
            self.shapes.weight.copy_(shapes.T)

    def forward(self, hidden: Tensor, value: Tensor) -> Tensor:
        """[..., inputs] and known values int64 [...] to logits [..., K]."""
        by_distance = self.shapes(self.coefficients(hidden))  # [..., 2K - 1]
        first = self.size - 1 - value  # [...]: column of the distance from the known value to 0
        if self.is_integer:  # K numbers in a row of each: taken as such, faster than one by one
            rows = by_distance.shape[-1] * torch.arange(first.numel(), device=value.device)
            windows = by_distance.flatten().unfold(0, self.size, 1)  # [any column of any row, K], a view
            taken: Tensor = windows.index_select(0, rows + first.flatten()).view(*value.shape, self.size)
            return taken
        logits: Tensor = by_distance.gather(-1, first[..., None] + torch.arange(self.size, device=value.device))
        return logits


class ScalarMaps(IntegerModule):
    """M maps over a tile, in seven passes from every 8th position to every one, each value from 5×5 known ones.

    A guess is the mean of the nearest known values. The network sees how far these are from it, and of the maps before
    at the position itself how far their values are from theirs.
    """

    _passes = 7

    def __init__(self, maps: int, size: int, width: int, context_width: int, qualities: int) -> None:
        super().__init__()
        self.maps, self.size, self.lattice = maps, size, BoardLattice(self._passes)
        self.units = 1 + self._passes // 2  # different ones among the passes: 8, 4, 2, 1
        around = len(_OFFSETS) * (2 * maps + 1)
        inputs, shapes = around + 2 * maps + self.units, _two_sided_shapes(size)
        self.input_proj = nn.ModuleList(IntegerLinear(inputs, width, qualities=qualities) for _ in range(maps))
        self.hidden = nn.ModuleList(IntegerLinear(width, width, qualities=qualities) for _ in range(maps))
        self.distance = nn.ModuleList(DistanceLogits(width, shapes) for _ in range(maps))
        for layer in cast(list[DistanceLogits], list(self.distance)):
            layer.coefficients.bias.data[:, 0] = 1.0  # the first function: at first e^(-1/8) a step from the guess
        self.update_context = ContextUpdate(around + maps, context_width, self.lattice.kernel, qualities)

    def coding_steps(
        self, flat: Tensor, index: Tensor, quality: int, mask: Tensor | None, known: Tensor | None = None
    ) -> Iterator[CodingStep]:
        """Give each value once; see `Slice.coding_steps`. The first M maps of an index [B, h, w, G] are its own.

        Args:
            known: bool [B, h, w], positions whose values are known before those of the first pass; none, in files.
        """
        items, *grid = index.shape[:-1]
        places = index[..., : self.maps].flatten(0, -2)  # [B · N, M]
        known = torch.zeros(index.shape[:-1], dtype=torch.bool, device=flat.device) if known is None else known.clone()
        known = known.flatten()  # [B · N]
        for step in self.lattice.passes(grid, flat.device):
            rows = step.rows(items, grid, mask)
            if len(rows):
                yield from self._values(flat, places, known, step, rows, grid, quality)
            known[step.rows(items, grid)] = True

    def _values(
        self,
        flat: Tensor,
        places: Tensor,
        known: Tensor,
        step: Pass,
        rows: Tensor,
        grid: Sequence[int],
        quality: int,
    ) -> Iterator[CodingStep]:
        """Give the values of a pass at rows [n], map after map."""
        index, inside = neighbours(rows, tuple((step.unit * y, step.unit * x) for y, x in _OFFSETS), grid)  # [n, 24]
        seen = inside & known[index]
        values = flat[places].to(torch.int32).index_select(0, index.flatten()).view(*index.shape, -1)  # [n, 24, M]
        guess = self._guess(values, seen)  # [n, M]
        around = self._differences(values, seen, guess)
        own = places[rows]  # [n, M]
        scale = torch.zeros(len(rows), self.units, device=flat.device)
        scale[:, self.units - step.unit.bit_length()] = ONE  # one-hot, coarse to fine
        for m in range(self.maps):
            here = flat[own] - guess  # [n, M]
            here[:, m:] = 0  # not known yet
            told = self.to_fixed_point(torch.cat([_companded(here, self.size), scale], 1))
            hidden = self.input_proj[m](torch.cat([around, told], 1), quality)
            hidden = self.relu(self.hidden[m](hidden, quality, rectified=True))  # [n, width]
            yield CodingStep(own[:, m], self.to_logits(self.distance[m](hidden, guess[:, m])))

    def update(self, flat: Tensor, index: Tensor, context: Tensor, quality: int) -> Tensor:
        """Return the next context [B, h, w, C], once all values are known."""
        items, *grid = index.shape[:-1]
        centre = flat[index[..., : self.maps].flatten(0, -2)].to(torch.int32)  # [B · N, M]
        rows, inside = neighbours(torch.arange(len(centre), device=flat.device), _OFFSETS, grid)  # [B · N, 24]
        absolute = self.to_fixed_point((centre - self.size // 2) * (ONE // 32))
        features = torch.cat([self._differences(centre[rows], inside, centre), absolute], 1)
        updated: Tensor = self.update_context(features.view(items, *grid, -1), context, quality)
        return updated

    def _differences(self, values: Tensor, seen: Tensor, centre: Tensor) -> Tensor:
        """Return features [n, 24 · (2M + 1)] of values [n, 24, M] around a centre [n, M], where `seen` bool [n, 24]."""
        differences = torch.where(seen[..., None], values - centre[:, None], 0)
        return self.to_fixed_point(torch.cat([_companded(differences.flatten(1), self.size), seen.float() * ONE], 1))

    def _guess(self, values: Tensor, seen: Tensor) -> Tensor:
        """Return the mean [n, M] of the nearest values [n, 24, M] that are seen, rounded down; K/2 where none is."""
        weights = seen * torch.tensor(_GUESS_WEIGHTS, dtype=torch.int32, device=seen.device)  # [n, 24]
        total = weights.sum(1, keepdim=True)
        mean = torch.div((values * weights[..., None]).sum(1), total.clamp_min(1), rounding_mode="floor")
        return torch.where(total > 0, mean, self.size // 2)


class StateMap(LatticeHead):
    """One map over frames, whose state 0 means that there is no value: logits of all states, and by the distance.

    The distances are those to the nearest known values before and after the frame, where there are any.
    """

    def __init__(self, size: int, lattice: LineLattice, sizes: HeadSizes) -> None:
        super().__init__(lattice, 0, 1, sizes.neighbour_width, sizes)
        self.size, self.embedding = size, IntegerEmbedding(size, sizes.neighbour_width)
        self.output_proj = IntegerLinear(sizes.head_width, size)
        shapes, sides = _bells(size), range(2)
        self.left_right = nn.ModuleList(DistanceLogits(sizes.head_width, shapes) for _ in sides)
        self.coarse_left_right = nn.ModuleList(DistanceLogits(sizes.head_width, shapes) for _ in sides if lattice.extra)

    def embed(self, codes: Tensor, quality: int) -> Tensor:
        embedded: Tensor = self.embedding(codes[..., 0])
        return embedded

    def coding_steps(
        self, flat: Tensor, index: Tensor, context: Tensor, quality: int, mask: Tensor | None
    ) -> Iterator[CodingStep]:
        """Give each state once; see `Slice.coding_steps`."""
        places = self.own(index).flatten(0, -2)  # [B · N, 1]
        for step, rows, hidden in self.passes(flat, places, context, quality, mask):
            hidden = self.dropout(self.relu(self.head(self.relu(hidden), quality)))  # [n, head_width]
            logits = self.output_proj(hidden)  # [n, K]
            if step.offsets:
                logits = logits + self._by_distance(flat[places[:, 0]], hidden, step, rows, context.shape[1:-1])
            yield CodingStep(places[rows, 0], self.to_logits(logits))

    def _by_distance(self, states: Tensor, hidden: Tensor, step: Pass, rows: Tensor, grid: Sequence[int]) -> Tensor:
        """Return what the known states [B · N] on both sides add to the logits, [n, K]."""
        index, inside = neighbours(rows, ((-step.unit,), (step.unit,)), grid)  # [n, 2]
        sides = self.left_right if step.level > self.lattice.extra else self.coarse_left_right
        is_value = torch.arange(self.size, device=rows.device) > 0  # [K]
        added = []
        for side, at, there in zip(sides, index.unbind(1), inside.unbind(1), strict=True):
            known = torch.where(there, states[at], 0)  # [n]
            added.append(torch.where((known > 0)[:, None] & is_value, side(hidden, known), 0))  # [n, K]
        return added[0] + added[1]


def _companded(x: Tensor, size: int) -> Tensor:
    """Return differences int32 or int64 [n, D] of values below `size` as [n, 2D] whole numbers in units of 1 / 2^10.

    They are x / 32, and half the root with the sign of x.
    """
    index = x.flatten() + (size - 1)  # [n · D]
    return torch.cat([table.index_select(0, index).view(x.shape) for table in _companding(size, x.device)], 1)


@cache
def _companding(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what `_companded` makes of each difference from 1 - size to size - 1, float32 [2 · size - 1] each."""
    with torch.inference_mode(False):  # training may use them later
        x = torch.arange(1 - size, size, device=device)
        root = torch.floor(torch.sqrt(x.abs().double() * (ONE * ONE // 4)))
        return (x * (ONE // 32)).float(), (x.sign() * root).float()


def _two_sided_shapes(size: int) -> Tensor:
    """Return functions [R, 2K - 1] of a distance: peaks of several sorts, bells, and bells that lean to one side."""
    distance = torch.arange(1 - size, size).float()
    far = distance.abs()
    shapes = [-far / 8, -far.sqrt(), -torch.log1p(far), (far == 0).float()]
    for width in (1, 2, 4, 8, 16, 32, 64):
        bell = torch.exp(-((distance / width) ** 2))
        shapes += [bell, 1.6 * distance / width * bell]
    return torch.stack(shapes)


def _bells(size: int) -> Tensor:
    """Return functions [R, 2K - 1] of a distance: bells from one state to many wide."""
    distance = torch.arange(1 - size, size).float()
    return torch.stack([torch.exp(-((distance / width) ** 2)) for width in (0.5, 1, 2, 4, 8, 16, 32)])
