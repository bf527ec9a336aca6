"""Gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328, figure 2): what is above and to the left of a position.

::

    rows above ──► vertical k×k ──(+)─┬─ tanh·σ ──► vertical stack of the next layer
                                      └─ 1×1 ┐
    left of it ──► horizontal 1×k ──────────(+)── tanh·σ ── 1×1 ──(+)──► horizontal stack of the next layer
               └──────────────────────────────────────────────────┘

The input of the vertical stack is moved down by one row and that of the horizontal one to the right by one column.
From then on every kernel may include its own row or column, and the masks are nothing but padding on one side. The
vertical stack sees whole rows, so there is no blind spot.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.gating import QualityBias, gated


class GatedPixelCNN(nn.Module):
    """Features [B, C, h, w] of codes to a context [B, C, h, w] that depends only on earlier positions.

    The first layer has kernels of its own size and no residual connection, as in the paper.
    """

    def __init__(
        self,
        width: int,
        *,
        layers: int,
        kernel_size: int,
        first_kernel_size: int,
        qualities: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        reaches = [first_kernel_size // 2] + [kernel_size // 2] * (layers - 1)
        self.layers = nn.ModuleList(
            GatedPixelLayer(width, reach, qualities, first=i == 0, dropout=dropout) for i, reach in enumerate(reaches)
        )

    def forward(self, features: Tensor, quality: int) -> Tensor:
        vertical = F.pad(features, (0, 0, 1, 0))[:, :, :-1]
        horizontal = F.pad(features, (1, 0))[..., :-1]
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, quality)
        return F.relu(horizontal)


class GatedPixelLayer(nn.Module):
    """One layer of both stacks; `reach` positions to each side, with the input's own shift in the first layer."""

    def __init__(self, width: int, reach: int, qualities: int, *, first: bool, dropout: float) -> None:
        super().__init__()
        size = reach if first else reach + 1  # the first layer's own row and column are shifted out
        self.above, self.left = (reach, reach, size - 1, 0), (size - 1, 0)
        self.vertical = nn.Conv2d(width, 2 * width, (size, 2 * reach + 1), bias=False)
        self.horizontal = nn.Conv2d(width, 2 * width, (1, size), bias=False)
        self.across = nn.Conv2d(2 * width, 2 * width, 1, bias=False)
        self.vertical_bias = QualityBias(2 * width, qualities)
        self.horizontal_bias = QualityBias(2 * width, qualities)
        self.dropout = nn.Dropout(dropout)
        self.point = nn.Conv2d(width, width, 1)
        self.first = first

    def forward(self, vertical: Tensor, horizontal: Tensor, quality: int) -> tuple[Tensor, Tensor]:
        above = self.vertical_bias(self.vertical(F.pad(vertical, self.above)), quality)
        beside = self.horizontal_bias(self.horizontal(F.pad(horizontal, self.left)), quality)
        out = self.point(self.dropout(gated(beside + self.across(above))))
        return gated(above), out if self.first else horizontal + out
