"""The autoregressive priors of the papers: a gated PixelCNN over code maps, a WaveNet over code sequences.

::

    codes ─ cut into blocks ─ features ─ masked network ─ context of each position ─ groups in turn ─► logits

Each code is given all codes before it in its block, in raster or time order, and at its position the groups before its
own. Blocks do not see each other: a coder follows all of them at once, so that the number of steps is that of the
positions of one block, whatever the size of the image. Made of exact layers (`vqc.nn.integer`): after `fix` every
machine computes the same integers, position by position with what earlier positions said kept (`walk` of the networks).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.models.base import CodecModel
from vqc.models.config import Config, limited
from vqc.models.prior import CodePrior
from vqc.nn.code_groups import Codebook, CodeGroups
from vqc.nn.integer import CodingStep
from vqc.nn.pixelcnn import GatedPixelCNN
from vqc.nn.wavenet import WaveNet


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig(Config):
    """A gated PixelCNN over code maps [B, G, h, w]."""

    block: int = limited(8, 1, 64)  # positions a side that see each other; 32×32 pixels of the paper's image model
    width: int = limited(96, 1, 4096)
    layers: int = limited(10, 1, 128)
    kernel_size: int = limited(3, 3, 33)
    first_kernel_size: int = limited(7, 3, 33)
    head_width: int = limited(128, 1, 4096)  # of each group's own layer
    code_dim: int = limited(16, 1, 1024)  # of an embedded code
    dropout: float = limited(0.0, 0, 0.99)
    classes: tuple[str, ...] = limited((), written_when_set=True)  # names of what images may be told to show

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have the same name")
        if self.kernel_size % 2 == 0 or self.first_kernel_size % 2 == 0:
            raise ValueError(f"kernels are {self.first_kernel_size} and {self.kernel_size} wide, not odd and above 1")


@dataclass(frozen=True, kw_only=True)
class WaveNetConfig(Config):
    """A WaveNet over code sequences [B, G, T]."""

    block: int = limited(256, 1, 4096)  # frames that see each other
    width: int = limited(128, 1, 4096)
    skip_width: int = limited(256, 1, 4096)
    kernel_size: int = limited(2, 2, 64)
    dilations: tuple[int, ...] = limited((1, 2, 4, 8, 16, 32, 64) * 2, 1, 4096)
    head_width: int = limited(128, 1, 4096)
    code_dim: int = limited(16, 1, 1024)
    dropout: float = limited(0.0, 0, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.dilations:
            raise ValueError("there are no dilations: it would see no past")


class BlockPrior(CodePrior):
    """Base of both priors: blocks, and the loop over their positions."""

    media: ClassVar[Literal["image", "audio"]]
    together: ClassVar[int]  # blocks, at most: bounds memory, and is part of the order of coding

    def __init__(self, config: PixelCNNConfig | WaveNetConfig, codec: CodecModel) -> None:
        super().__init__(config, codec)
        if codec.media != self.media:
            raise ValueError(f"it is for {self.media} models")
        sizes = tuple(codec.codebook_sizes(q + 1) for q in range(codec.qualities))  # [Q][G]
        self.network, context_width = self._network(config, codec.qualities)
        self.groups = CodeGroups(
            sizes,
            width=config.width,
            context_width=context_width,
            head_width=config.head_width,
            code_dim=config.code_dim,
            dropout=config.dropout,
        )

    @property
    def block(self) -> int:
        side: int = self.config.block
        return side

    @abstractmethod
    def _network(self, config: Any, qualities: int) -> tuple[GatedPixelCNN | WaveNet, int]:
        """Make the masked network; returns it and the width of its context."""

    def coding_steps(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """See `CodePrior.coding_steps`. A float prior must be given all codes, and has another order: `parallel`."""
        return (self.stepwise if self.is_integer else self.parallel)(codes, quality, mask)

    def parallel(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """Give all groups in turn, each at all positions of the blocks, when all codes are there."""
        flat = codes.view(-1)
        for blocks in _cut(codes, self.config.block, self.together, mask):
            features = self.groups.features(flat[blocks.indices.movedim(0, -1)], quality)  # [N, *sides, width]
            context = self.network(features, quality, blocks.inside, blocks.labels(self.labels))  # [N, *sides, C]
            yield from self._at(flat, blocks.indices[:, blocks.mask], context[blocks.mask], quality)

    def most_items(self, grid: tuple[int, ...]) -> int:
        """See `CodePrior.most_items`: the blocks of an item are to be walked together."""
        block: int = self.config.block
        blocks = math.prod(-(-size // min(block, size)) for size in grid)
        return max(1, self.together // blocks)

    def counting_steps(self, codes: Tensor, quality: int) -> Iterator[CodingStep]:
        """See `CodePrior.counting_steps`."""
        yield from self.parallel(codes, quality)

    def stepwise(
        self, codes: Tensor, quality: int, mask: Tensor | None = None, *, block: int | None = None
    ) -> Iterator[CodingStep]:
        """Give all positions in turn, and of each its groups in turn, in all blocks; `block`: of another size."""
        flat = codes.view(-1)
        for blocks in _cut(codes, block or self.config.block, self.together, mask):
            count, *sides = blocks.mask.shape  # N blocks of one size
            walk = self.network.walk(count, tuple(sides), quality, blocks.inside, blocks.labels(self.labels))
            asked = blocks.mask.flatten(1)  # [N, positions of a block]
            features = None  # of the position before
            for position, indices in enumerate(blocks.indices.flatten(2).unbind(2)):  # [G, N] each
                context = walk.step(features)  # [N, C]
                rows = asked[:, position].nonzero()[:, 0]
                if len(rows):
                    yield from self._at(flat, indices[:, rows], context[rows], quality)
                features = self.groups.features(flat[indices.T], quality)  # [N, width]

    def _at(self, flat: Tensor, indices: Tensor, context: Tensor, quality: int) -> Iterator[CodingStep]:
        """Give the groups in turn at N positions, whose codes are at `indices` int64 [G, N] of the flattened ones."""
        yield from map(CodingStep, indices, self.groups.logits(context, flat, indices, quality))

    @torch.no_grad()
    def initialise(self, codec: CodecModel) -> None:
        """Begin at the order-0 tables of the codec, and with embeddings as close as its entries."""
        for quality in range(1, codec.qualities + 1):
            frequencies = torch.from_numpy(codec.static_frequencies(quality))
            sizes = codec.codebook_sizes(quality)
            self.groups.initialise([f[:size] for f, size in zip(frequencies, sizes, strict=True)], quality)
            codebooks = codec.codebooks(quality)
            if tuple(map(len, codebooks)) == sizes:
                self.groups.initialise_embeddings(codebooks, quality)

    def remap_codebooks(self, old: CodecModel, new: CodecModel, like: CodePrior) -> None:
        """See `CodePrior.remap_codebooks`; a codec without codebooks changes nothing."""
        known, other = _codebooks(old), _codebooks(new)
        if known and len(known) == len(other):
            self.groups.remap_codebook(known, other)


class PixelCNNPrior(BlockPrior):
    """Logits of the codes of an image model."""

    kind, media, together = "pixelcnn", "image", 1024

    def _network(self, config: PixelCNNConfig, qualities: int) -> tuple[GatedPixelCNN, int]:
        network = GatedPixelCNN(
            config.width,
            layers=config.layers,
            kernel_size=config.kernel_size,
            first_kernel_size=config.first_kernel_size,
            qualities=qualities,
            classes=len(config.classes),
            dropout=config.dropout,
        )
        return network, config.width


class WaveNetPrior(BlockPrior):
    """Logits of the codes of an audio model."""

    kind, media, together = "wavenet", "audio", 256

    def sampling_steps(self, codes: Tensor, quality: int, mask: Tensor) -> Iterator[CodingStep]:
        """See `CodePrior.sampling_steps`; a sequence is one block, however long: its convolutions reach no farther."""
        yield from self.stepwise(codes, quality, mask, block=codes.shape[-1])

    def _network(self, config: WaveNetConfig, qualities: int) -> tuple[WaveNet, int]:
        network = WaveNet(
            config.width,
            skip_width=config.skip_width,
            kernel_size=config.kernel_size,
            dilations=config.dilations,
            qualities=qualities,
            dropout=config.dropout,
        )
        return network, config.skip_width


def _codebooks(codec: CodecModel) -> list[Codebook]:
    """Return entries and frequencies of all groups of the first quality, then of the next; none without entries."""
    return [
        (entries, torch.from_numpy(frequencies[: len(entries)]))
        for quality in range(1, codec.qualities + 1)
        for entries, frequencies in zip(codec.codebooks(quality), codec.static_frequencies(quality), strict=False)
    ]


@dataclass(frozen=True)
class _Blocks:
    """Blocks of one size; those at the right and bottom may reach beyond the grid."""

    indices: Tensor  # int64 [G, N, *sides]: where each code is in the flattened ones; beyond the grid anywhere
    mask: Tensor  # bool [N, *sides]: positions whose codes are asked for
    inside: Tensor | None  # bool [N, *sides]: positions of the grid; None when all are
    items: Tensor  # int64 [N]: which item each is of

    def labels(self, of_items: Tensor | None) -> Tensor | None:
        """Return labels int64 [N] of the blocks from those of the items, [B] or [1]."""
        if of_items is None:
            return None
        return of_items.expand(len(self.items)) if len(of_items) == 1 else of_items[self.items]


def _cut(codes: Tensor, block: int, together: int, mask: Tensor | None) -> Iterator[_Blocks]:
    """Cut codes [B, G, *grid] into blocks, at most `together` at a time."""
    batch, groups, *grid = codes.shape
    positions = math.prod(grid)
    places = torch.arange(batch * positions, device=codes.device).view(batch, *grid)  # rows of all items
    sides = [min(block, size) for size in grid]
    counts = [-(-size // side) for size, side in zip(grid, sides, strict=True)]  # blocks along each axis
    beyond = [count * side - size for size, side, count in zip(grid, sides, counts, strict=True)]
    places = F.pad(places, [n for extra in reversed(beyond) for n in (0, extra)], value=-1)
    places = places.view(batch, *(n for pair in zip(counts, sides, strict=True) for n in pair))  # [B, ny, h, nx, w]
    if len(sides) == 2:
        places = places.transpose(2, 3)  # [B, ny, nx, h, w]
    for own in torch.split(places.reshape(-1, *sides), together):  # [N, *sides]; -1 beyond the grid
        inside = own >= 0
        own = own.clamp_min(0)
        asked = inside if mask is None else inside & mask.flatten()[own]  # [N, *sides]
        group = torch.arange(groups, device=codes.device).view(-1, *[1] * own.dim())
        indices = (own // positions * groups + group) * positions + own % positions  # [G, N, *sides]
        items = own.flatten(1)[:, 0] // positions
        yield _Blocks(indices, asked, inside if any(beyond) else None, items)
