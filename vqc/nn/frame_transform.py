"""Learned linear transform of frames of a waveform, which begins as a discrete cosine transform (type II)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrameTransform(nn.Module):
    """Frames of `hop` samples, without overlap, to `dims` coefficients and back; analysis and synthesis learn apart.

    At the start the rows are orthonormal: with ``dims >= hop`` synthesis undoes analysis, with fewer the high
    frequencies are lost. A codebook placed by k-means on the coefficients is a codec before any training.
    """

    def __init__(self, hop: int, dims: int) -> None:
        super().__init__()
        self.hop = hop
        n = torch.arange(hop, dtype=torch.float64)
        # [hop, hop], orthonormal: the constant row would be √2 too long
        rows = torch.cos(math.pi / hop * (n + 0.5) * n[:, None]) * math.sqrt(2 / hop)
        rows[0] /= math.sqrt(2)
        basis = torch.zeros(dims, 1, hop)  # kernels of a convolution
        basis[: min(dims, hop), 0] = rows[:dims]
        self.analysis = nn.Parameter(basis.clone())
        self.synthesis = nn.Parameter(basis.clone())

    def analyse(self, waveform: Tensor) -> Tensor:
        """Waveform [B, 1, T] to coefficients [B, dims, T/hop]."""
        return F.conv1d(waveform, self.analysis, stride=self.hop)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Coefficients [B, dims, T/hop] to a waveform [B, 1, T]."""
        return F.conv_transpose1d(coefficients, self.synthesis, stride=self.hop)
