"""ConvNeXt block in one dimension (Liu et al. 2022, arXiv 2201.03545; as in Vocos, arXiv 2306.00814)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNeXt1d(nn.Module):
    """Depthwise convolution in time, then a two-layer perceptron at each frame, added to the input: [B, T, C]."""

    def __init__(self, channels: int, *, expansion: int = 3, kernel_size: int = 7) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))  # small, so that a deep stack begins near the identity

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2))  # [B, T, C]
        out: Tensor = x + self.scale * self.contract(nn.functional.gelu(self.expand(h)))  # [B, T, expansion · C] within
        return out
