"""Several codebooks for one latent: one after the other on what is left, or side by side on parts of the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from vqc.nn.quantize import Quantized, VectorQuantizer


class ResidualQuantizer(nn.Module):
    """Stage g quantizes what stages before it left over; the sum of the chosen entries stands for the latent.

    r_1 = z,  e_g = Q_g(r_g),  r_{g+1} = r_g − e_g,  ẑ = Σ e_g. The losses of the stages add up. Fewer stages than
    there are give a coarser ẑ from the same codebooks.
    """

    def __init__(self, stages: Iterable[VectorQuantizer]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, latents: Tensor, stages: int | None = None) -> Quantized:
        """Quantize [B, D, ...] with the first `stages` codebooks (all by default); codes are [B, G, ...]."""
        results, residual = [], latents
        for stage in self._first(stages):
            results.append(stage(residual))
            residual = residual - results[-1].quantized.detach()
        quantized = latents - residual.detach()  # the value Σ e, the gradient of the latents
        return _joined(quantized, results, [1.0] * len(results))

    def encode(self, latents: Tensor, stages: int | None = None) -> Tensor:
        """Codes int64 [B, G, ...] of latents [B, D, ...]."""
        codes, residual = [], latents
        for stage in self._first(stages):
            codes.append(stage.encode(residual))
            residual = residual - stage.decode(codes[-1])
        return torch.stack(codes, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Sums of entries [B, D, ...] of codes [B, G, ...]; G may be less than the number of stages."""
        parts = [stage.decode(c) for stage, c in zip(self._first(codes.shape[1]), codes.unbind(1), strict=True)]
        return torch.stack(parts).sum(0)

    @torch.no_grad()
    def initialise(self, vectors: Tensor, *, iterations: int = 10, seed: int = 0) -> None:
        """Place all entries by k-means on vectors [N, D], stage after stage."""
        for stage in self._first(None):
            stage.initialise(vectors, iterations=iterations, seed=seed)
            vectors = vectors - stage.codebook[stage.nearest(vectors)]

    def _first(self, count: int | None) -> list[VectorQuantizer]:
        return cast(list[VectorQuantizer], list(self.stages))[:count]


class ProductQuantizer(nn.Module):
    """Group g quantizes its own slice of the channels; slices lie one after the other, as wide as their codebooks.

    The loss is the mean over all channels, so groups count in proportion to their width.
    """

    def __init__(self, groups: Iterable[VectorQuantizer]) -> None:
        super().__init__()
        self.groups = nn.ModuleList(groups)
        self.widths = [group.codebook.shape[1] for group in self._all()]

    def forward(self, latents: Tensor) -> Quantized:
        """Quantize [B, D, ...], D the sum of the widths; codes are [B, G, ...]."""
        results = [group(part) for group, part in zip(self._all(), torch.split(latents, self.widths, 1), strict=True)]
        total = sum(self.widths)
        return _joined(torch.cat([r.quantized for r in results], 1), results, [w / total for w in self.widths])

    def encode(self, latents: Tensor) -> Tensor:
        """Codes int64 [B, G, ...] of latents [B, D, ...]."""
        parts = torch.split(latents, self.widths, 1)
        return torch.stack([group.encode(part) for group, part in zip(self._all(), parts, strict=True)], 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Entries side by side [B, D, ...] of codes [B, G, ...]."""
        return torch.cat([group.decode(c) for group, c in zip(self._all(), codes.unbind(1), strict=True)], 1)

    @torch.no_grad()
    def initialise(self, vectors: Tensor, *, iterations: int = 10, seed: int = 0) -> None:
        """Place all entries by k-means on the slices of vectors [N, D]."""
        for group, part in zip(self._all(), torch.split(vectors, self.widths, 1), strict=True):
            group.initialise(part, iterations=iterations, seed=seed)

    def _all(self) -> list[VectorQuantizer]:
        return cast(list[VectorQuantizer], list(self.groups))


def _joined(quantized: Tensor, results: Sequence[Quantized], weights: Sequence[float]) -> Quantized:
    return Quantized(
        quantized,
        torch.stack([r.codes for r in results], 1),
        torch.stack([w * r.loss for w, r in zip(weights, results, strict=True)]).sum(),
        torch.stack([r.bits for r in results]),
        torch.stack([r.perplexity for r in results]),
        torch.stack([r.fraction_used for r in results]),
    )
