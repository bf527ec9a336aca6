"""Autoregressive models of codes, in float: a PixelCNN over code maps, a WaveNet over code sequences.

::

    symbols [B, G, ...] ─ features ─ masked network ─ context of each position ─ groups in turn ─► logits [B, G, K, ...]

They say how many bits a learned entropy coder would spend and can be sampled from. What they compute differs in its
last bits from machine to machine, so no coder may use them as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.errors import CheckpointError
from vqc.models.base import CodecModel
from vqc.models.config import config_from_dict
from vqc.nn.code_groups import CodeGroups
from vqc.nn.pixelcnn import GatedPixelCNN
from vqc.nn.wavenet import WaveNet

_LOGITS_AT_ONCE = 1 << 24  # outside training: 64 MiB


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig:
    """A gated PixelCNN over code maps [B, G, h, w]."""

    codebook_sizes: tuple[tuple[int, ...], ...]  # of each group, at each quality
    width: int = 96
    layers: int = 10
    kernel_size: int = 3
    first_kernel_size: int = 7
    head_width: int = 128  # of each group's own layer
    code_dim: int = 16  # of an embedded code where there are several groups
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_sizes(self.codebook_sizes)
        if any(size < 3 or size % 2 == 0 for size in (self.kernel_size, self.first_kernel_size)):
            raise ValueError(f"kernels are {self.first_kernel_size} and {self.kernel_size} wide, not odd and above 1")


@dataclass(frozen=True, kw_only=True)
class WaveNetConfig:
    """A WaveNet over code sequences [B, G, T]."""

    codebook_sizes: tuple[tuple[int, ...], ...]  # of each group, at each quality
    width: int = 128
    skip_width: int = 256
    kernel_size: int = 2
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64) * 2
    head_width: int = 128
    code_dim: int = 16
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_sizes(self.codebook_sizes)
        if self.kernel_size < 2 or not self.dilations or min(self.dilations) < 1:
            raise ValueError(f"kernel size {self.kernel_size} and dilations {self.dilations} see no past")


PriorConfig = PixelCNNConfig | WaveNetConfig

PRIOR_KINDS: Mapping[str, type[PriorConfig]] = MappingProxyType({"pixelcnn": PixelCNNConfig, "wavenet": WaveNetConfig})
DEFAULT_PRIORS: Mapping[str, str] = MappingProxyType({"image": "pixelcnn", "audio": "wavenet"})


class CodePrior(nn.Module):
    """Probabilities of the symbols of a codec model, each given those before it in raster or time order.

    Within a position group g is given the groups before it. Qualities count from 1; a batch is of one quality.
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        qualities = len(config.codebook_sizes)
        self.network: GatedPixelCNN | WaveNet
        if isinstance(config, PixelCNNConfig):
            context_width = config.width
            self.network = GatedPixelCNN(
                config.width,
                layers=config.layers,
                kernel_size=config.kernel_size,
                first_kernel_size=config.first_kernel_size,
                qualities=qualities,
                dropout=config.dropout,
            )
        else:
            context_width = config.skip_width
            self.network = WaveNet(
                config.width,
                skip_width=config.skip_width,
                kernel_size=config.kernel_size,
                dilations=config.dilations,
                qualities=qualities,
                dropout=config.dropout,
            )
        self.groups = CodeGroups(
            config.codebook_sizes,
            width=config.width,
            context_width=context_width,
            head_width=config.head_width,
            code_dim=config.code_dim,
        )

    def forward(self, codes: Tensor, quality: int) -> Tensor:
        """Logits [B, G, K, ...] of codes int64 [B, G, ...]; -inf beyond the size of a group."""
        rows = codes.movedim(1, -1)
        logits = self.groups.logits(self._context(codes, quality), rows.flatten(0, -2), quality)
        maps: Tensor = logits.reshape(*rows.shape, -1).movedim((-2, -1), (1, 2))
        return maps

    def bits(self, codes: Tensor, quality: int, positions: Tensor | None = None) -> Tensor:
        """-log2 P of each code [N, G] at these positions, int64 [N] of the flattened [B, ...]; at all if left out."""
        context, rows = self._context(codes, quality), codes.movedim(1, -1).flatten(0, -2)
        if positions is not None:
            context, rows = context[positions], rows[positions]
        size = len(rows)
        if not torch.is_grad_enabled():
            size = max(1, _LOGITS_AT_ONCE // self.groups.inputs.rows(quality).numel())
        parts = zip(torch.split(context, size), torch.split(rows, size), strict=True)
        return torch.cat([self._bits(h, k, quality) for h, k in parts])

    def start_from(self, model: CodecModel) -> None:
        """Begin at the order-0 tables of the codec model whose codes these are."""
        for quality in range(1, len(self.config.codebook_sizes) + 1):
            frequencies = torch.from_numpy(model.static_frequencies(quality)).double()
            self.groups.start_from(frequencies / frequencies.sum(1, keepdim=True), quality)

    def _context(self, codes: Tensor, quality: int) -> Tensor:
        """What earlier positions say of each, [N, C]."""
        context: Tensor = self.network(self.groups.features(codes, quality), quality)
        return context.movedim(1, -1).flatten(0, -2)

    def _bits(self, context: Tensor, codes: Tensor, quality: int) -> Tensor:
        logits = self.groups.logits(context, codes, quality)
        nats = F.cross_entropy(logits.flatten(0, 1).float(), codes.flatten(), reduction="none")
        return nats.view_as(codes) / math.log(2)


def build_prior(kind: str, config: Mapping[str, Any], *, where: str = "this prior") -> CodePrior:
    """An untrained prior of a kind of `PRIOR_KINDS` from its config as a mapping; every key is checked."""
    if kind not in PRIOR_KINDS:
        raise CheckpointError(f"priors of kind {kind!r} are not known to this version of vqc; update vqc to use it")
    return CodePrior(config_from_dict(PRIOR_KINDS[kind], config, where=where))


def prior_config(model: CodecModel, **fields: Any) -> PriorConfig:
    """The config of a prior for a codec model's codes: defaults of its medium, and fields that differ."""
    sizes = tuple(model.codebook_sizes(q + 1) for q in range(model.qualities))
    return PRIOR_KINDS[DEFAULT_PRIORS[model.media]](codebook_sizes=sizes, **fields)


def _check_sizes(sizes: tuple[tuple[int, ...], ...]) -> None:
    if not sizes or not all(sizes) or min(map(min, sizes)) < 1:
        raise ValueError("codebook_sizes gives no size, or one below 1, for some quality")
