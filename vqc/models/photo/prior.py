"""The prior of the `photo` model: what is known of a tile, refined slice after slice in a fixed number of passes.

::

    mean colours: a lattice of every 8th position, then the points between, at 4, 2, 1; each from 5×5 known neighbours
    details:      slices of code maps, coarse to fine; of each slice first the black, then the white squares of a board,
                  or more such passes before; and a position's codes at once, or in steps
                     context ─(+)─────────(+)─ network ─ coefficients ─► logits of the pass and step
                               ▲           ▲
                      codes of its four    codes of the steps before,
                      known neighbours     at the position itself
                     context ◄─ 3×3 network ◄─ codes of the slice

A code map is never asked one code at a time, so a tile takes a fixed number of parts whatever its size. Logits of a
code are its logarithm in a table of the quality plus coefficients times features of its codebook entry (its
coordinates, their sizes and squares, its length): the network says how the distribution is shifted and stretched, and
need not learn a codebook. Made of exact layers (`vqc.nn.integer`): once fixed, all machines compute the same integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.models.photo.model import MEAN_CODES, MEANS, PhotoModel
from vqc.models.prior import Codebooks, CodingStep, EntryPrior
from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import ONE, IntegerConv, IntegerLinear, IntegerModule

_REACH = 2  # neighbours to each side
_TAPS = (2 * _REACH + 1) ** 2


@dataclass(frozen=True, kw_only=True)
class PhotoPriorConfig(Config):
    """Sizes of the networks, and how the code maps of each shape are cut into slices.

    passes: of each slice over the positions, each over as many as all before it; () for 2, the two colours of a board.
    steps: of each slice, in which the codes of a position come; () for 1.
    """

    slices: tuple[tuple[int, ...], ...] = limited(((13,), (12,), (14,), (14,), (16,), (24,), (12,)), 1, 4096)
    width: int = limited(128, 1, 4096)  # of the context
    head_width: int = limited(128, 1, 4096)
    neighbour_width: int = limited(48, 1, 4096)
    means_width: int = limited(128, 1, 4096)
    passes: tuple[int, ...] = limited((), 1, 16, written_when_set=True)
    steps: tuple[int, ...] = limited((), 1, 4096, written_when_set=True)

    def order_of(self, part: int) -> tuple[int, int]:
        """Passes and steps of a slice, by its number among all."""
        return self.passes[part] if self.passes else 2, self.steps[part] if self.steps else 1


class PhotoPrior(EntryPrior):
    """Logits of the codes of a `PhotoModel`; qualities count from 1, a batch is of one quality."""

    kind = "photo"

    def __init__(self, config: PhotoPriorConfig, codec: PhotoModel) -> None:
        super().__init__(config, codec)
        if not isinstance(codec, PhotoModel):
            raise ValueError(f"it is for a model of kind photo, not {codec.kind}")
        self.config = config
        shapes, qualities = codec.config.shapes, codec.qualities
        if [sum(cut) for cut in config.slices] != [count for count, _, _ in shapes]:
            raise ValueError(f"slices {config.slices} do not add up to the code maps {shapes}")
        for name in ("passes", "steps"):
            of_slices = getattr(config, name)
            if of_slices and len(of_slices) != sum(map(len, config.slices)):
                raise ValueError(f"{name} {of_slices} are not one number for each of the slices")
        self.means = _Means(config.means_width, qualities)
        self.first = _Absorb(_Means.features, config.width, qualities)
        self.slices, first = nn.ModuleList(), MEANS
        for cut, (_, dims, size), used in zip(config.slices, shapes, _used(codec), strict=True):
            for count in cut:
                groups = EntryGroups(count, dims, size, qualities=qualities, width=config.head_width, used=used)
                passes, steps = config.order_of(len(self.slices))
                self.slices.append(_Slice(groups, first, passes, steps, config, qualities))
                first += count

    def coding_steps(self, codes: Tensor, quality: int, chosen: Tensor | None = None) -> Iterator[CodingStep]:
        """Every code of int64 [B, G, h, w] once, in the order of coding.

        When a part is asked for, `codes` must hold the codes of all parts before it; others are not looked at.

        Args:
            chosen: bool [B, h, w]: only these positions are wanted (all codes must be there then).
        """
        yield from self.means.coding_steps(codes, quality, chosen)
        groups = codes.shape[1]
        if groups <= MEANS:
            return
        context = self.first(self.means.described(codes), None, quality)
        for part in self._slices:
            if part.first >= groups:
                return
            yield from part.coding_steps(codes, context, quality, chosen)
            if part.first + part.count < groups:
                context = part.absorb(part.described(codes, quality), context, quality)

    @property
    def _slices(self) -> list[_Slice]:
        return cast(list[_Slice], list(self.slices))

    def codebooks(self, codec: PhotoModel) -> Iterator[Codebooks]:
        """See `EntryPrior`; one for each slice."""
        tables = [torch.from_numpy(codec.static_frequencies(q + 1)) for q in range(codec.qualities)]
        parts = iter(self._slices)
        for shape, cut in enumerate(self.config.slices):
            for entries in torch.split(codec.quantizer.whole_codebook(shape), cut, dim=1):
                part = next(parts)
                own = slice(part.first, part.first + part.count)
                yield Codebooks(part.groups, entries, [table[own] for table in tables])


class _Absorb(IntegerModule):
    """What has become known of each position is worked into the context of its neighbours."""

    def __init__(self, inputs: int, width: int, qualities: int) -> None:
        super().__init__()
        self.enter = IntegerLinear(inputs, width, qualities=qualities)
        self.around = IntegerConv(width, width, qualities=qualities)
        self.leave = IntegerLinear(width, width)

    def forward(self, known: Tensor, context: Tensor | None, quality: int) -> Tensor:
        """Known [B, h, w, inputs] and context [B, h, w, C] to the next context."""
        x = self.enter(known, quality, inputs=slice(known.shape[-1]))
        x = self.relu(x if context is None else x + context)
        y = self.leave(self.relu(self.around(x, quality)))
        return y if context is None else self.clip(context + y)


class _Means(IntegerModule):
    """The mean colours, from a coarse lattice to a fine one; logits are functions of the distance to a guess."""

    features = 2 * MEANS * (_TAPS - 1) + _TAPS - 1 + MEANS
    _steps = (8, 4, 2, 1)

    def __init__(self, width: int, qualities: int) -> None:
        super().__init__()
        inputs = self.features - MEANS + 2 * MEANS + len(self._steps)
        self.enter = nn.ModuleList(IntegerLinear(inputs, width, qualities=qualities) for _ in range(MEANS))
        self.middle = nn.ModuleList(IntegerLinear(width, width, qualities=qualities) for _ in range(MEANS))
        distance = torch.arange(1 - MEAN_CODES, MEAN_CODES).float()
        shapes = _distance_shapes(distance)
        self.coefficients = nn.ModuleList(IntegerLinear(width, len(shapes), zero=True) for _ in range(MEANS))
        self.shapes = nn.ModuleList(IntegerLinear(len(shapes), len(distance)) for _ in range(MEANS))
        with torch.no_grad():
            for coefficients, layer in zip(self.coefficients, self.shapes, strict=True):
                cast(IntegerLinear, coefficients).bias[:, 0] = 1.0
                cast(IntegerLinear, layer).weight.copy_(shapes.T)

    def coding_steps(self, codes: Tensor, quality: int, chosen: Tensor | None) -> Iterator[CodingStep]:
        """See `PhotoPrior.coding_steps`."""
        height, width = codes.shape[2:]
        for step, known, wanted in _lattices(height, width, codes.device):
            rows, columns = wanted.nonzero(as_tuple=True)
            if not len(rows):
                continue
            picked: Tensor | slice = slice(None)
            if chosen is not None:
                picked = chosen[:, rows * step, columns * step].flatten().nonzero()[:, 0]
            now = codes[:, :MEANS, ::step, ::step]
            values, mask = _neighbours(now, known, rows, columns)
            values, mask, guess = values[picked], mask[picked], _guess(values, mask)[picked]
            around = self._described(values, mask, guess)
            index = torch.arange(len(codes), device=codes.device)[:, None] * codes.shape[1] * height * width
            index = (index + rows * step * width + columns * step).flatten()[picked]
            scale = torch.zeros(len(index), len(self._steps), dtype=torch.int64, device=codes.device)
            scale[:, self._steps.index(step)] = ONE
            for group in range(MEANS):
                here = now[:, :, rows, columns].permute(0, 2, 1).flatten(0, 1)[picked] - guess
                here[:, group:] = 0
                x = torch.cat([around, self.to_fixed_point(torch.cat([_companded(here), scale], 1))], 1)
                h = self.relu(self.enter[group](x, quality))
                h = self.relu(self.middle[group](h, quality))
                by_distance = self.shapes[group](self.coefficients[group](h))
                first = MEAN_CODES - 1 - guess[:, group, None]
                logits = by_distance.gather(1, first + torch.arange(MEAN_CODES, device=codes.device))
                yield CodingStep(index + group * height * width, logits)

    def described(self, codes: Tensor) -> Tensor:
        """Features [B, h, w, ...] of every position and its neighbours, when all mean colours are known."""
        height, width = codes.shape[2:]
        everywhere = torch.ones(height, width, dtype=torch.bool, device=codes.device)
        rows, columns = everywhere.nonzero(as_tuple=True)
        now = codes[:, :MEANS]
        values, mask = _neighbours(now, everywhere, rows, columns)
        centre = now.permute(0, 2, 3, 1).flatten(0, 2)
        absolute = self.to_fixed_point((centre - MEAN_CODES // 2) * (ONE // 32))
        return torch.cat([self._described(values, mask, centre), absolute], 1).view(len(codes), height, width, -1)

    def _described(self, values: Tensor, mask: Tensor, centre: Tensor) -> Tensor:
        """Differences of neighbours [N, 24, 3] to centres [N, 3], where they are known [N, 24]."""
        differences = (values - centre[:, None]) * mask[..., None]
        return self.to_fixed_point(torch.cat([_companded(differences.flatten(1)), mask * ONE], 1))


class _Slice(IntegerModule):
    """Some code maps of one shape: pass by pass over the positions, and step by step over the codes of each."""

    def __init__(
        self, groups: EntryGroups, first: int, passes: int, steps: int, config: PhotoPriorConfig, qualities: int
    ) -> None:
        super().__init__()
        self.groups, self.first, self.count = groups, first, groups.count
        self.ends = [round(step * groups.count / steps) for step in range(steps + 1)]
        self.passes = passes
        described, neighbours = groups.count * groups.described_dims, config.neighbour_width
        self.absorb = _Absorb(described, config.width, qualities)
        if passes > 1:
            self.embed = IntegerLinear(described, neighbours, qualities=qualities)
            self.beside = IntegerLinear(4 * neighbours, config.head_width, qualities=qualities)
        self.front = IntegerLinear(config.width, config.head_width, qualities=qualities)
        self.farther = nn.ModuleList(
            IntegerLinear(4 * neighbours, config.head_width, qualities=qualities, zero=True) for _ in range(passes - 2)
        )
        if steps > 1:
            self.before = IntegerLinear(described, config.head_width, qualities=qualities, zero=True)
        self.back = IntegerLinear(config.head_width, config.head_width, qualities=qualities)

    def coding_steps(self, codes: Tensor, context: Tensor, quality: int, chosen: Tensor | None) -> Iterator[CodingStep]:
        """See `PhotoPrior.coding_steps`."""
        batch, _, height, width = codes.shape
        for number, (wanted, offsets) in enumerate(_boards(height, width, self.passes, codes.device)):
            wanted = wanted.expand(batch, -1, -1)
            if chosen is not None:
                wanted = wanted & chosen
            places = wanted.flatten().nonzero()[:, 0]
            if not len(places):
                continue
            h = self.front(context.flatten(0, 2)[places], quality)
            if offsets:
                h = self.clip(h + self._sides(number)(self._around(codes, places, offsets, quality), quality))
            yield from self._steps(codes, h, places, quality)

    def _steps(self, codes: Tensor, hidden: Tensor, places: Tensor, quality: int) -> Iterator[CodingStep]:
        """The codes of one pass, at `places` of [B, h, w] flattened."""
        maps, area = codes.shape[1], codes.shape[2] * codes.shape[3]
        count = min(self.count, maps - self.first)
        image, position = places // area, places % area
        for start, end in pairwise(self.ends):
            end = min(end, count)
            if start >= end:
                break
            h = hidden
            if start:
                known = codes.flatten(2)[image, self.first : self.first + start, position]
                known = self.groups.described(known, quality)
                h = self.clip(h + self.before(known, quality, inputs=slice(known.shape[-1])))
            h = self.relu(self.back(self.relu(h), quality))
            map_ = self.first + torch.arange(start, end, device=codes.device)[:, None]
            index = (image * maps + map_) * area + position
            for some, logits in self.groups.logits(h, range(start, end), quality):
                yield CodingStep(index[some].flatten(), logits.flatten(0, 1))

    def _sides(self, number: int) -> IntegerLinear:
        """What looks at the neighbours in a pass."""
        return cast(IntegerLinear, self.beside if number == self.passes - 1 else self.farther[number - 1])

    def _around(self, codes: Tensor, places: Tensor, offsets: _Offsets, quality: int) -> Tensor:
        """The slice at the four neighbours of each place, all of which are known or outside, [N, ...]."""
        height, width = codes.shape[2:]
        described = self.described(codes, quality)
        known = self.relu(self.embed(described, quality, inputs=slice(described.shape[-1])))
        reach = max(max(abs(y), abs(x)) for y, x in offsets)
        around = F.pad(known, (0, 0, reach, reach, reach, reach))
        sides = [around[:, reach + y : reach + y + height, reach + x : reach + x + width] for y, x in offsets]
        return torch.cat([side.flatten(0, 2)[places] for side in sides], -1)

    def described(self, codes: Tensor, quality: int) -> Tensor:
        """Features [B, h, w, ...] of the slice's codes."""
        return self.groups.described(codes[:, self.first : self.first + self.count].permute(0, 2, 3, 1), quality)


def _used(codec: PhotoModel) -> list[tuple[int, ...]]:
    """How many entries of the codebooks of each shape are in use, by quality."""
    return [tuple(of_shape) for of_shape in zip(*codec.quantizer.active_sizes, strict=True)]


_Offsets = tuple[tuple[int, int], ...]  # of neighbours, down and right


def _boards(height: int, width: int, passes: int, device: torch.device) -> Iterator[tuple[Tensor, _Offsets]]:
    """Where each pass is, bool [h, w], and where its four nearest positions of the passes before are.

    The last pass has the white squares of a board, the one before the half of the black ones that lies in odd rows, and
    so on; the first has what is left, and no neighbours.
    """
    row = torch.arange(height, device=device)[:, None]
    column = torch.arange(width, device=device)
    for left in range(passes - 1, -1, -1):  # passes that follow
        unit = 1 << left // 2
        on_grid = (row % unit == 0) & (column % unit == 0)
        straight = left % 2 == 0
        here = on_grid if straight else on_grid & ((row // unit + column // unit) % 2 == 0)
        if left == passes - 1:
            yield here, ()
        elif straight:
            yield here & ((row // unit + column // unit) % 2 == 1), ((-unit, 0), (unit, 0), (0, -unit), (0, unit))
        else:
            odd = (row // unit) % 2 == 1
            yield here & odd, ((-unit, -unit), (-unit, unit), (unit, -unit), (unit, unit))


def _companded(x: Tensor) -> Tensor:
    """Differences int64 [N, n] of mean codes to [N, 2n] in units of 1 / 2^10: x / 32, and a root with the sign of x."""
    root = torch.floor(torch.sqrt(x.abs().double() * (ONE * ONE // 4))).long()
    return torch.cat([x * (ONE // 32), x.sign() * root], 1)


def _lattices(height: int, width: int, device: torch.device) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Step of a lattice, which of its points are known [h / step, w / step], and which are to be."""
    for step in _Means._steps:
        rows = torch.arange(-(-height // step), device=device)[:, None]
        columns = torch.arange(-(-width // step), device=device)
        if step == _Means._steps[0]:
            everywhere = (rows >= 0) & (columns >= 0)
            yield step, ~everywhere, everywhere
            continue
        coarse, middle = (rows % 2 == 0) & (columns % 2 == 0), (rows % 2 == 1) & (columns % 2 == 1)
        yield step, coarse, middle
        yield step, coarse | middle, ~(coarse | middle)


def _neighbours(codes: Tensor, known: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """The 24 codes around positions n of maps [B, C, h, w], and which of them are known: [B·n, 24, C], [B·n, 24]."""
    pad = [_REACH] * 4
    offsets = torch.tensor(
        [(y, x) for y in range(2 * _REACH + 1) for x in range(2 * _REACH + 1) if (y, x) != (_REACH, _REACH)],
        device=codes.device,
    )
    y, x = rows[:, None] + offsets[:, 0], columns[:, None] + offsets[:, 1]
    values = F.pad(codes, pad)[:, :, y, x].permute(0, 2, 3, 1).flatten(0, 1)
    mask = F.pad(known, pad)[y, x].to(codes.dtype).repeat(len(codes), 1)
    return values, mask


_NEAR = torch.zeros(2 * _REACH + 1, 2 * _REACH + 1, dtype=torch.int64)
_NEAR[1:4, 1:4] = torch.tensor([[1, 2, 1], [2, 0, 2], [1, 2, 1]])
_NEAR = torch.cat([_NEAR.flatten()[: _TAPS // 2], _NEAR.flatten()[_TAPS // 2 + 1 :]])


def _guess(values: Tensor, mask: Tensor) -> Tensor:
    """The mean [N, C] of the nearest known neighbours [N, 24, C], rounded down; K/2 where there are none."""
    weights = mask * _NEAR.to(mask.device)
    total = weights.sum(1, keepdim=True)
    mean = torch.div((values * weights[..., None]).sum(1), total.clamp_min(1), rounding_mode="floor")
    return torch.where(total > 0, mean, MEAN_CODES // 2)


def _distance_shapes(distance: Tensor) -> Tensor:
    """Functions of a distance [D] that logits are made of at the start of training: [R, D]."""
    size = distance.abs()
    shapes = [-size / 8, -size.sqrt(), -torch.log1p(size), (size == 0).float()]
    for width in (1, 2, 4, 8, 16, 32, 64):
        bell = torch.exp(-((distance / width) ** 2))
        shapes += [bell, 1.6 * distance / width * bell]
    return torch.stack(shapes)
