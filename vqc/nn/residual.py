"""Strided convolutional encoder and decoder with residual stacks, in one or two dimensions.

As in VQ-VAE (van den Oord, Vinyals, Kavukcuoglu 2017, arXiv 1711.00937, section 4.1)::

    encoder  ResStack(Conv3(ReLU(Conv2(ReLU(Conv1(x)))))), 1x1 projection to the codebook dimension
    decoder  Conv3, ResStack, then transposed convolutions with ReLU between them

The strided convolutions have kernels twice their stride and padding of half of it, so each divides the length by
its stride exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

Dimensions = Literal[1, 2]

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
TRANSPOSED_CONVOLUTIONS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}


class ResidualLayer(nn.Module):
    """h + Conv1x1(ReLU(Conv3x3(ReLU(h)))), [B, C, ...] to the same shape."""

    def __init__(self, dimensions: Dimensions, width: int, hidden: int) -> None:
        super().__init__()
        conv = CONVOLUTIONS[dimensions]
        self.wide = conv(width, hidden, 3, padding=1, bias=False)
        self.point = conv(hidden, width, 1, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.point(F.relu(self.wide(F.relu(h))))
        return out


class ResidualStack(nn.Module):
    """Residual layers in sequence, then a ReLU, [B, C, ...] to the same shape."""

    def __init__(self, dimensions: Dimensions, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ResidualLayer(dimensions, width, hidden) for _ in range(layers))

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layers:
            h = layer(h)
        return F.relu(h)


class Sizes(NamedTuple):
    """Sizes of an encoder, and of the decoder that mirrors it."""

    dimensions: Dimensions
    channels: int  # C of the signal
    widths: Sequence[int]  # after each stride
    strides: Sequence[int]
    residual: tuple[int, int]  # layers, hidden width
    latent_dim: int  # D


class StridedEncoder(nn.Module):
    """Signal [B, C, ...] to latents [B, D, ...], each side divided by the product of the strides."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        dimensions, channels, widths, strides, residual, latent_dim = sizes
        conv = CONVOLUTIONS[dimensions]
        ins = (channels, *widths)
        self.down = nn.ModuleList(
            conv(i, o, 2 * s, stride=s, padding=s // 2) for (i, o), s in zip(pairwise(ins), strides, strict=True)
        )
        self.mix = conv(widths[-1], widths[-1], 3, padding=1)
        self.stack = ResidualStack(dimensions, widths[-1], residual[1], residual[0])
        self.project = conv(widths[-1], latent_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for layer in self.down:
            h = F.relu(layer(h))  # [B, width, side / stride]
        latents: Tensor = self.project(self.stack(self.mix(h)))  # [B, D, ...]
        return latents


class StridedDecoder(nn.Module):
    """Quantized latents [B, D, ...] to a signal [B, C, ...], each side multiplied by the product of the strides."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        dimensions, channels, widths, strides, residual, latent_dim = sizes
        transposed = TRANSPOSED_CONVOLUTIONS[dimensions]
        outs = tuple(reversed((channels, *widths)))
        self.mix = CONVOLUTIONS[dimensions](latent_dim, widths[-1], 3, padding=1)
        self.stack = ResidualStack(dimensions, widths[-1], residual[1], residual[0])
        self.up = nn.ModuleList(
            transposed(i, o, 2 * s, stride=s, padding=s // 2)
            for (i, o), s in zip(pairwise(outs), reversed(strides), strict=True)
        )

    def forward(self, quantized: Tensor) -> Tensor:
        h: Tensor = self.stack(self.mix(quantized))  # [B, width, ...], its last step a ReLU
        for i, layer in enumerate(self.up):
            h = layer(h if i == 0 else F.relu(h))  # side · stride; nothing after the last
        return h


def reach(strides: Sequence[int], residual_layers: int) -> int:
    """Return how far a code sees beyond its cell, or a sample beyond its code: the larger of the two, in samples."""
    step = 1
    encoder = 0
    for stride in strides:
        encoder += step * (stride // 2)  # the kernel covers half a stride more on each side
        step *= stride
    encoder += step * (1 + residual_layers)
    decoder = step * (1 + residual_layers)
    for stride in reversed(strides):
        decoder += step  # a neighbour at the coarser grid, counted whole
        step //= stride
    return max(encoder, decoder)
