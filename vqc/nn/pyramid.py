"""Convolutional pyramids between pixels and a grid of 1/16: little work per pixel, no overlapping strides.

::

    analysis   pixels ─ unshuffle 4 ─ 1/4 ─ unshuffle 2 ─ 1/8 ─ unshuffle 2 ─ 1/16 ─ latents
    synthesis  latents ─ 1/16 ─ shuffle 2 ─ 1/8 ─ shuffle 2 ─ 1/4 ─ shuffle 4 ─ pixels

Each scale has residual blocks conditioned on the quality (a scale and a shift per channel and quality). Weights lie
in memory as the convolutions read them, channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BlockWidths = Sequence[int]  # hidden width of each residual block of a scale


class QualityBlock(nn.Module):
    """h + Conv3x3(ReLU(Conv3x3(h) · (1 + γ[q]) + β[q])), [B, C, H, W] to the same shape."""

    def __init__(self, width: int, hidden: int, qualities: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, width, 3, padding=1)
        self.gain = nn.Parameter(torch.zeros(qualities, hidden))
        self.shift = nn.Parameter(torch.zeros(qualities, hidden))
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # a stack begins near the identity

    def forward(self, h: Tensor, indices: Tensor) -> Tensor:
        """Add what the block makes of h [B, C, H, W]; `indices`: int64 [B] or [1], qualities counted from 0."""
        gain, shift = 1 + self.gain[indices], self.shift[indices]  # [B or 1, hidden]
        if len(indices) == 1:  # into the weights: no pass over the maps
            bias = cast(Tensor, self.first.bias) * gain[0] + shift[0]
            inner = F.conv2d(h, self.first.weight * gain.view(-1, 1, 1, 1), bias, padding=1)
        else:
            inner = torch.addcmul(shift[..., None, None], self.first(h), gain[..., None, None])
        out: Tensor = self.second(F.relu(inner, inplace=True))
        return out.add_(h)  # in place, as below: of a tile each map takes 20 MB


class QualityStack(nn.Module):
    """Blocks of one scale."""

    def __init__(self, width: int, hidden: BlockWidths, qualities: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(QualityBlock(width, h, qualities) for h in hidden)

    def forward(self, h: Tensor, indices: Tensor, most: int | None = None) -> Tensor:
        """Go through the blocks, or the first `most` of them."""
        for block in islice(self.blocks, most):
            h = block(h, indices)
        return h


class AnalysisPyramid(nn.Module):
    """Image [B, 3, H, W] and features of its blocks [B, D, H/16, W/16] to [B, D, H/16, W/16]; zero at the start."""

    def __init__(self, dims: int, widths: tuple[int, ...], blocks: Sequence[BlockWidths], qualities: int) -> None:
        super().__init__()
        w4, w8, w16 = widths
        self.stem = nn.Conv2d(3 * 16, w4, 1)
        self.stack4 = QualityStack(w4, blocks[0], qualities)
        self.down8 = nn.Conv2d(4 * w4, w8, 1)
        self.stack8 = QualityStack(w8, blocks[1], qualities)
        self.down16 = nn.Conv2d(4 * w8, w16, 1)
        self.inject = nn.Conv2d(dims, w16, 1, bias=False)
        self.stack16 = QualityStack(w16, blocks[2], qualities)
        self.project = zero_conv(w16, dims)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, features: Tensor, indices: Tensor) -> Tensor:
        h = self.stack4(_of_blocks(self.stem, image, 4), indices)  # [B, w4, H/4, W/4]
        h = self.stack8(_of_blocks(self.down8, F.relu(h, inplace=True), 2), indices)  # [B, w8, H/8, W/8]
        h = _of_blocks(self.down16, F.relu(h, inplace=True), 2).add_(self.inject(features))  # [B, w16, H/16, W/16]
        out: Tensor = self.project(F.relu(self.stack16(h, indices), inplace=True))
        return out


class SynthesisPyramid(nn.Module):
    """Latents [B, D, h, w] and a first image [B, 3, 16·h, 16·w] to a correction of that image; zero at the start."""

    def __init__(self, dims: int, widths: tuple[int, ...], blocks: Sequence[BlockWidths], qualities: int) -> None:
        super().__init__()
        w4, w8, w16 = widths
        self.enter = nn.Conv2d(dims, w16, 1)
        self.stack16 = QualityStack(w16, blocks[2], qualities)
        self.up8 = nn.Conv2d(w16, 4 * w8, 1)
        self.stack8 = QualityStack(w8, blocks[1], qualities)
        self.up4 = nn.Conv2d(w8, 4 * w4, 1)
        self.look = nn.Conv2d(3 * 16, w4, 1, bias=False)
        self.stack4 = QualityStack(w4, blocks[0], qualities)
        self.project = zero_conv(w4, 3 * 16, 3)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, latents: Tensor, image: Tensor, indices: Tensor) -> Tensor:
        return F.pixel_shuffle(self.quarters(latents, _of_blocks(self.look, image, 4), indices), 4)

    def quarters(self, latents: Tensor, seen: Tensor, indices: Tensor, fine_blocks: int | None = None) -> Tensor:
        """The correction as it is before pixels are shuffled, [B, 48, 4·h, 4·w].

        Args:
            seen: what `look` makes of the image, [B, w4, 4·h, 4·w].
            fine_blocks: at 1/4 that many blocks, the first, in place of all.
        """
        h = self.stack16(self.enter(latents), indices)  # [B, w16, h, w]
        h = self.stack8(F.pixel_shuffle(self.up8(F.relu(h, inplace=True)), 2), indices)  # [B, w8, 2h, 2w]
        h = F.pixel_shuffle(self.up4(F.relu(h, inplace=True)), 2)  # [B, w4, 4h, 4w]
        h = self.stack4(h.add_(seen), indices, fine_blocks)
        out: Tensor = self.project(F.relu(h, inplace=True))
        return out


class NeighbourPrediction(nn.Module):
    """Linear 5×5 prediction plus a small network, [B, C, h, w] to [B, D, h, w]; the network is zero at the start."""

    def __init__(self, inputs: int, outputs: int, hidden: int, qualities: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 5, padding=2, bias=False)
        self.enter = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.stack = QualityStack(hidden, (hidden,), qualities)
        self.project = zero_conv(hidden, outputs)

    def forward(self, known: Tensor, indices: Tensor) -> Tensor:
        h = self.stack(F.relu(self.enter(known)), indices)
        out: Tensor = self.linear(known) + self.project(F.relu(h))
        return out

    @torch.no_grad()
    def fit_linear(self, known: Sequence[Tensor], targets: Sequence[Tensor], ridge: float = 1e-3) -> None:
        """Fit the linear part by least squares: targets [D, h, w] from 5×5 neighbourhoods of known maps [C, h, w]."""
        inputs = self.linear.weight[0].numel()
        gram = torch.zeros(inputs, inputs, dtype=torch.float64)
        cross = torch.zeros(inputs, self.linear.weight.shape[0], dtype=torch.float64)
        for k, w in zip(known, targets, strict=True):
            patches = F.unfold(k[None].double(), 5, padding=2)[0]  # [25·C, h·w]
            gram += patches @ patches.T
            cross += patches @ w.double().flatten(1).T
        eye = torch.eye(inputs, dtype=torch.float64)
        weights = torch.linalg.solve(gram + ridge * gram.diagonal().mean() * eye, cross)
        self.linear.weight.copy_(weights.T.reshape(self.linear.weight.shape))


def _of_blocks(layer: nn.Conv2d, x: Tensor, side: int) -> Tensor:
    """Apply a 1×1 convolution to `F.pixel_unshuffle(x, side)`, [B, C, H, W] to [B, O, H/side, W/side].

    Unshuffling takes longer than the convolution, on a CPU, and its result lies in memory as no other does.
    """
    weight = layer.weight.reshape(-1, x.shape[1], side, side)
    return F.conv2d(x.contiguous(memory_format=torch.channels_last), weight, layer.bias, stride=side)


def zero_conv(inputs: int, outputs: int, kernel: int = 1) -> nn.Conv2d:
    """Make a convolution whose output is zero before it is trained."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
