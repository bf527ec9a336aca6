"""p(x | codes): how likely the original is, given what was restored from its codes.

With it codes and residual add up to lossless compression, which is what likelihoods of autoencoders are compared by:
bits of the codes + -log2 p(x | codes) (`total_bpd` of `vqc eval`). It is fitted on training data after the codec, takes
no part in compressing or restoring, and is therefore left out of the model's digest.

::

    restored ─ blocks ─ residual stack ─ pixels ─► parameters ─► mixture of logistics around the restored value

Values are independent given the codes, but for the channels of one pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.nn.logistic_mixture import log_probability, parameters_per_value
from vqc.nn.residual import CONVOLUTIONS, ResidualStack


@dataclass(frozen=True, kw_only=True)
class LikelihoodConfig(Config):
    """With no layers the mixture is the same everywhere; else a network works on blocks, best those of the codes."""

    mixtures: int = limited(5, 1, 64)
    width: int = limited(128, 1, 4096)
    layers: int = limited(0, 0, 64)
    block: int = limited(4, 1, 64)  # pixels a side, or samples


class Likelihood(nn.Module):
    """p(x | codes) of images [B, 3, H, W] in 8-bit levels, or waveforms [B, 1, T] in 16-bit levels, at each quality."""

    def __init__(self, config: LikelihoodConfig, media: Literal["image", "audio"], qualities: int) -> None:
        super().__init__()
        self.config, self.media, self.qualities = config, media, qualities
        self.channels, self.largest = (3, 255) if media == "image" else (1, 65535)
        outputs = parameters_per_value(self.channels, config.mixtures)
        start = torch.zeros(outputs // config.mixtures, config.mixtures)  # as `log_probability` splits it
        start[1 + self.channels : 1 + 2 * self.channels] = torch.linspace(-2, 1, config.mixtures)  # of narrow and wide
        self.bias = nn.Parameter(start.flatten().repeat(qualities, 1))  # [Q, P]
        self.network: nn.Module | None = None
        if config.layers:
            self.network = _Network(config, self.channels, outputs, 2 if media == "image" else 1)

    def nats(self, original: Tensor, restored: Tensor, quality: int) -> Tensor:
        """-ln p(x | codes) of whole levels [B, C, ...], given restored ones: [B], summed over all values."""
        shape = (1, -1, *[1] * (original.dim() - 2))
        parameters = self.bias[quality - 1].view(shape)
        if self.network is None:
            parameters = parameters.expand(len(original), -1, *original.shape[2:])
        else:
            parameters = parameters + self.network(restored / (self.largest / 2) - 1)
        # parameters: [B, P, ...]; the result: one for each pixel or sample
        logs = log_probability(original, restored, parameters, largest=self.largest)
        return -logs.flatten(1).double().sum(1)

    @torch.inference_mode()
    def bits(self, original: Tensor, restored: Tensor, quality: int) -> Tensor:
        """-log2 p(x | codes) of each item, float64 [B]; see `nats`."""
        return self.nats(original.float(), restored.float(), quality) / math.log(2)


def to_levels(signal: Tensor, media: Literal["image", "audio"]) -> Tensor:
    """Round a signal, [B, 3, H, W] in [0, 1] or [B, T] in [-1, 1], to the levels [B, C, ...] of a file."""
    if media == "image":
        return (signal.float() * 255).round().clamp(0, 255)
    return (signal.float().unsqueeze(1) * 32768 + 32768).round().clamp(0, 65535)


class _Network(nn.Module):
    """Network from a signal [B, C, ...] in [-1, 1] to corrections of the parameters [B, P, ...]; zero at the start.

    Sides that are no multiples of a block are lengthened by their last value.
    """

    def __init__(self, config: LikelihoodConfig, channels: int, outputs: int, dimensions: Literal[1, 2]) -> None:
        super().__init__()
        conv, parts, self.block = CONVOLUTIONS[dimensions], config.block**dimensions, config.block
        self.enter = conv(parts * channels, config.width, 3, padding=1)
        self.stack = ResidualStack(dimensions, config.width, config.width, config.layers)
        self.project = conv(config.width, parts * outputs, 1)
        nn.init.zeros_(self.project.weight)
        assert self.project.bias is not None, "convolutions have one"
        nn.init.zeros_(self.project.bias)

    def forward(self, signal: Tensor) -> Tensor:
        sides = signal.shape[2:]
        beyond = [end for side in reversed(sides) for end in (0, -side % self.block)]  # F.pad begins with the last axis
        whole = F.pad(signal, beyond, mode="replicate") if any(beyond) else signal
        out = from_blocks(self.project(self.stack(self.enter(to_blocks(whole, self.block)))), self.block)
        return out[:, :, : sides[0]] if len(sides) == 1 else out[:, :, : sides[0], : sides[1]]


def to_blocks(signal: Tensor, block: int) -> Tensor:
    """[B, C, H, W] to [B, C·block², H/block, W/block], or [B, C, T] to [B, C·block, T/block]."""
    if signal.dim() == 4:
        return F.pixel_unshuffle(signal, block)
    batch, channels, length = signal.shape
    return signal.view(batch, channels, length // block, block).transpose(2, 3).reshape(batch, channels * block, -1)


def from_blocks(blocks: Tensor, block: int) -> Tensor:
    """The inverse of `to_blocks`."""
    if blocks.dim() == 4:
        return F.pixel_shuffle(blocks, block)
    batch, channels, length = blocks.shape
    return blocks.view(batch, channels // block, block, length).transpose(2, 3).reshape(batch, channels // block, -1)
