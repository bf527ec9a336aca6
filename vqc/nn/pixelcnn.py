"""Gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328, figure 2): what is above and to the left of a position.

::

    rows above ──► vertical k×k ──(+)─┬─ tanh·σ ──► vertical stack of the next layer
                                      └─ 1×1 ┐
    left of it ──► horizontal 1×k ──────────(+)── tanh·σ ── 1×1 ──(+)──► horizontal stack of the next layer
               └──────────────────────────────────────────────────┘

The input of the vertical stack is moved down by one row and that of the horizontal one to the right by one column.
From then on every kernel may include its own row or column, and the masks are nothing but padding on one side. The
vertical stack sees whole rows, so there is no blind spot.

Convolutions are taps side by side and an exact linear layer, so that the same layers compute a whole map at once
(`forward`) or follow a coder from position to position (`PixelWalk`), to the same integers once they are quantized.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.gating import Gate
from vqc.nn.integer import IntegerEmbedding, IntegerLinear, IntegerModule


class GatedPixelCNN(IntegerModule):
    """Features [N, h, w, C] of codes to a context [N, h, w, C] that depends only on earlier positions.

    The first layer has kernels of its own size and no residual connection, as in the paper. What a class says (its
    section 2.3) is added to the vertical stack of each layer, and from there reaches the horizontal one.
    """

    def __init__(
        self,
        width: int,
        *,
        layers: int,
        kernel_size: int,
        first_kernel_size: int,
        qualities: int,
        classes: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width = width
        reaches = [first_kernel_size // 2] + [kernel_size // 2] * (layers - 1)
        self.layers = nn.ModuleList(
            GatedPixelLayer(width, reach, qualities, first=i == 0, dropout=dropout) for i, reach in enumerate(reaches)
        )
        self.classes: IntegerEmbedding | None = None  # of each class, what it adds to all layers
        if classes:
            self.classes = IntegerEmbedding(classes, layers * 2 * width)
            nn.init.zeros_(self.classes.vectors)

    def of_classes(self, labels: Tensor | None) -> list[Tensor | None]:
        """Return what classes int64 [N] add to each layer, [N, 1, 1, 2C]; nothing for −1, nor without labels."""
        if labels is None or self.classes is None:
            return [None] * len(self.layers)
        added = self.classes(labels.clamp_min(0)) * (labels >= 0)[:, None]  # [N, layers · 2C]
        return list(added[:, None, None].chunk(len(self.layers), -1))

    def forward(
        self, features: Tensor, quality: int, inside: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Compute whole maps; positions not `inside`, bool [N, h, w], are equivalent to those beyond the edge."""
        shown = features if inside is None else features * inside[..., None]
        vertical = F.pad(shown, (0, 0, 0, 0, 1, 0))[:, :-1]  # [N, h, w, C], one row down
        horizontal = F.pad(shown, (0, 0, 1, 0))[:, :, :-1]  # [N, h, w, C], one column to the right
        for layer, added in zip(self.layers, self.of_classes(labels), strict=True):
            vertical, horizontal = layer(vertical, horizontal, quality, added)
            if inside is not None:
                vertical = vertical * inside[..., None]
        return self.relu(horizontal)

    def walk(
        self, count: int, sides: tuple[int, ...], quality: int, inside: Tensor | None, labels: Tensor | None
    ) -> PixelWalk:
        """Begin the same for `count` maps of these sides, a position at a time."""
        return PixelWalk(self, count, sides, quality, inside, labels)


class PixelWalk:
    """Contexts of a position of every map, from position to position in raster order; remembers what it needs."""

    def __init__(
        self,
        network: GatedPixelCNN,
        count: int,
        sides: tuple[int, ...],
        quality: int,
        inside: Tensor | None,
        labels: Tensor | None,
    ) -> None:
        self.network, self.quality, self.added = network, quality, network.of_classes(labels)
        self.inside = None if inside is None else inside[..., None]
        self.layers: list[GatedPixelLayer] = list(network.layers)  # type: ignore[arg-type]
        _, self.columns = sides
        self.position = 0
        device = self.layers[0].output_proj.weight.device

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(count, *shape, network.width, device=device)

        self.shown = zeros(self.columns)  # features of this row so far, and of the one above from there on
        self.rows = [zeros(layer.size, self.columns) for layer in self.layers]  # input of the vertical stack
        self.left = [zeros(layer.size - 1 + self.columns) for layer in self.layers]  # of the horizontal stack, padded
        self.across: list[Tensor] = []  # of each layer [N, w, 2C]: what the vertical stack says of this row

    def step(self, features: Tensor | None) -> Tensor:
        """Return the context [N, C] of the next position, given features [N, C] of the one before; None at first."""
        row, column = divmod(self.position, self.columns)
        self.position += 1
        if features is not None:
            before = (row, column - 1) if column else (row - 1, self.columns - 1)
            self.shown[:, before[1]] = features if self.inside is None else features * self.inside[:, *before]
        if column == 0:
            self._enter(row)
        h = self.shown[:, column - 1] if column else torch.zeros_like(self.shown[:, 0])
        for layer, left, across in zip(self.layers, self.left, self.across, strict=True):
            left[:, column + layer.size - 1] = h
            taps = left[:, column : column + layer.size].flatten(1)  # [N, size · C]
            h = layer.at(taps, across[:, column], h, self.quality)
        return self.network.relu(h)

    def _enter(self, row: int) -> None:
        """Compute the vertical stack of a whole row."""
        vertical, self.across = self.shown[:, None], []
        for i, layer in enumerate(self.layers):
            self.rows[i] = torch.cat([self.rows[i][:, 1:], vertical], 1)
            above = layer.above(self.rows[i], self.quality, self.added[i])  # [N, 1, w, 2C]
            self.across.append(layer.vertical_to_horizontal(above)[:, 0])
            vertical = layer.gate(above)
            if self.inside is not None:
                vertical = vertical * self.inside[:, row, None]


class GatedPixelLayer(IntegerModule):
    """One layer of both stacks; `reach` positions to each side, with the input's own shift in the first layer."""

    def __init__(self, width: int, reach: int, qualities: int, *, first: bool, dropout: float) -> None:
        super().__init__()
        self.reach, self.first = reach, first
        self.size = size = reach if first else reach + 1  # the first layer's own row and column are shifted out
        self.vertical = IntegerLinear(size * (2 * reach + 1) * width, 2 * width, qualities=qualities)
        self.horizontal = IntegerLinear(size * width, 2 * width, qualities=qualities)
        self.vertical_to_horizontal = IntegerLinear(2 * width, 2 * width)
        self.gate = Gate()
        self.dropout: nn.Module = nn.Dropout(dropout)
        self.output_proj = IntegerLinear(width, width)

    def forward(
        self, vertical: Tensor, horizontal: Tensor, quality: int, added: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute both stacks [N, h, w, C] of the next layer."""
        above = self.above(F.pad(vertical, (0, 0, 0, 0, self.size - 1, 0)), quality, added)
        left, columns = F.pad(horizontal, (0, 0, self.size - 1, 0)), horizontal.shape[2]
        taps = torch.cat([left[:, :, i : i + columns] for i in range(self.size)], -1)  # [N, h, w, size · C]
        return self.gate(above), self.at(taps, self.vertical_to_horizontal(above), horizontal, quality)

    def above(self, rows: Tensor, quality: int, added: Tensor | None = None) -> Tensor:
        """Convolve rows [N, size − 1 + h, w, C] to what they, and a class, say of the last h, [N, h, w, 2C]."""
        h, w = rows.shape[1] - self.size + 1, rows.shape[2]
        around = F.pad(rows, (0, 0, self.reach, self.reach))  # [N, size − 1 + h, reach + w + reach, C]
        taps = [around[:, i : i + h, j : j + w] for i in range(self.size) for j in range(2 * self.reach + 1)]
        result: Tensor = self.vertical(torch.cat(taps, -1), quality)
        return result if added is None else self.clip(result + added)

    def at(self, taps: Tensor, across: Tensor, horizontal: Tensor, quality: int) -> Tensor:
        """Compute the next horizontal stack [..., C] from its taps [..., size · C] and what is above [..., 2C]."""
        x = self.clip(self.horizontal(taps, quality) + across)  # [..., 2C]
        out: Tensor = self.output_proj(self.dropout(self.gate(x)))
        return out if self.first else self.clip(horizontal + out)

    def _quantize(self) -> None:
        self.dropout = nn.Identity()
