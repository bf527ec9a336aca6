"""The gated unit of PixelCNN and WaveNet, and what tells it the quality."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gated(x: Tensor) -> Tensor:
    """tanh(x_f) · σ(x_g) of the two halves of the channels, [B, 2C, ...] to [B, C, ...]."""
    values, gates = x.chunk(2, dim=1)
    return torch.tanh(values) * torch.sigmoid(gates)


class QualityBias(nn.Module):
    """x + V q with q one-hot (equation 4 of arXiv 1606.05328): [B, C, ...] to the same shape.

    With one quality it is an ordinary bias; the convolution before needs none. Qualities count from 1.
    """

    def __init__(self, channels: int, qualities: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(qualities, channels))

    def forward(self, x: Tensor, quality: int) -> Tensor:
        return x + self.bias[quality - 1].view(-1, *[1] * (x.dim() - 2))
