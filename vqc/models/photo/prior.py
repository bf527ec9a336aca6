"""The prior of the `photo` model: what is known of a tile, refined slice after slice in a fixed number of passes.

::

    mean colours: a lattice of every 8th position, then the points between, at 4, 2, 1; each from 5×5 known neighbours
                  (`vqc.nn.scalar_map`)
    details:      slices of code maps, coarse to fine; of each slice first the black, then the white squares of a board,
                  or more such passes before; and a position's codes at once, or in steps (`vqc.nn.sliced`)

A code map is never asked one code at a time, so a tile takes a fixed number of steps whatever its size. Logits of a
code are its logarithm in a table of the quality plus coefficients times features of its codebook entry
(`vqc.nn.entry_groups`): the network says how the distribution is shifted and stretched, and need not learn a codebook.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor

from vqc.models.config import WRITTEN_WHEN_SET, Config, limited
from vqc.models.photo.model import DC_COUNT, DC_SIZE, PhotoModel
from vqc.models.prior import Codebooks, EntryPrior, codebooks_of
from vqc.nn.ecvq import Tilts
from vqc.nn.integer import CodingStep
from vqc.nn.scalar_map import ScalarMaps
from vqc.nn.sliced import BoardLattice, HeadSizes, make_slices, slices_in


@dataclass(frozen=True, kw_only=True)
class PhotoPriorConfig(Config):
    """Sizes of the networks, and how the code maps of each shape are cut into slices.

    spatial_passes: of each slice over the positions, each over as many as all before it; () for 2, the two colours of
        a board.
    channel_steps: of each slice, in which the codes of a position come; () for 1.
    ends_early: whether a stream may end before any slice, where all codes behind are 0.
    """

    growing: ClassVar[tuple[str, ...]] = ("width", "head_width", "dc_width")  # a narrower one can begin a wider one

    slices: tuple[tuple[int, ...], ...] = limited(((13,), (12,), (14,), (14,), (16,), (24,), (12,)), 1, 4096)
    width: int = limited(128, 1, 4096)  # of the context
    head_width: int = limited(128, 1, 4096)
    neighbour_width: int = limited(48, 1, 4096)
    dc_width: int = limited(128, 1, 4096)  # of the networks of the mean colours
    spatial_passes: tuple[int, ...] = limited((), 1, 16, written_when_set=True)
    channel_steps: tuple[int, ...] = limited((), 1, 4096, written_when_set=True)
    ends_early: bool = field(default=False, metadata=WRITTEN_WHEN_SET)


class PhotoPrior(EntryPrior):
    """Logits of the codes of a `PhotoModel`; qualities count from 1, a batch is of one quality."""

    kind = "photo"

    def __init__(self, config: PhotoPriorConfig, codec: PhotoModel) -> None:
        super().__init__(config, codec)
        total = sum(map(len, config.slices))
        for name in ("spatial_passes", "channel_steps"):
            if len(getattr(config, name)) not in (0, total):
                raise ValueError(f"{name} {getattr(config, name)} are not one number for each of the slices")
        lattices = map(BoardLattice, config.spatial_passes or (2,) * total)  # one for each slice
        orders = zip(lattices, config.channel_steps or (1,) * total, strict=True)
        sizes = HeadSizes(config.width, config.head_width, config.neighbour_width, codec.qualities)
        self.dc = ScalarMaps(DC_COUNT, DC_SIZE, config.dc_width, config.width, codec.qualities)
        self.slices = make_slices(codec.quantizer, config.slices, orders, DC_COUNT, sizes)

    @property
    def ends(self) -> tuple[int, ...]:
        return tuple(part.first for part in slices_in(self.slices)) if self.config.ends_early else ()

    def coding_steps(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """See `CodePrior.coding_steps`; codes are int64 [B, G, h, w]."""
        yield from self._steps(codes, quality, mask)

    def sampling_steps(self, codes: Tensor, quality: int, mask: Tensor) -> Iterator[CodingStep]:
        """See `CodePrior.sampling_steps`; colours are drawn from all given ones around, as if these came before them.

        In the order of files a colour on a coarse lattice would know nothing of given ones beside it.
        """
        yield from self._steps(codes, quality, mask, ~mask)

    def _begin(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes [B, G, h, w] flattened, where each is there [B, h, w, G], and a context of nothing."""
        index = torch.arange(codes.numel(), device=codes.device).view(codes.shape).permute(0, 2, 3, 1)
        return codes.view(-1), index, torch.zeros(*index.shape[:-1], self.config.width, device=codes.device)

    def _steps(
        self, codes: Tensor, quality: int, mask: Tensor | None, given: Tensor | None = None
    ) -> Iterator[CodingStep]:
        flat, index, context = self._begin(codes)
        yield from self.dc.coding_steps(flat, index, quality, mask, given)
        update = self.dc.update
        for part in slices_in(self.slices):
            if part.first >= codes.shape[1]:  # a low quality has fewer maps
                return
            context = update(flat, index, context, quality)  # [B, h, w, width]: what all slices before say
            yield from part.coding_steps(flat, index, context, quality, mask)
            update = part.update

    def tilts(self, codes: Tensor, quality: int, shapes: int) -> Iterator[Tilts]:
        """Give what makes the bits of entries differ between positions, given all other codes that come before.

        Of each of the first `shapes` shapes of groups: coefficients [G, B · h · w, F] and features [G, F, K], in bits.
        What all entries of a position have in common is left out.

        Args:
            codes: int64 [B, G, h, w], all there: no step waits for another one's codes.
        """
        flat, index, context = self._begin(codes)
        update, parts = self.dc.update, iter(slices_in(self.slices))
        for cut in self.config.slices[:shapes]:
            found = list[Tilts]()
            for part in islice(parts, len(cut)):
                if part.first < codes.shape[1]:
                    context = update(flat, index, context, quality)
                    found.append(part.tilts(flat, index, context, quality))
                    update = part.update
            if found:
                yield Tilts(*map(torch.cat, zip(*found, strict=True)))

    def codebooks(self, codec: PhotoModel) -> Iterator[Codebooks]:
        """See `EntryPrior`; one for each slice."""
        tables = [torch.from_numpy(codec.static_frequencies(q + 1)) for q in range(codec.qualities)]
        return codebooks_of(self.slices, self.config.slices, codec.quantizer, tables)
