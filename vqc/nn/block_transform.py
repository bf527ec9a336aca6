"""Linear block transform (Karhunen–Loève): square blocks of pixels to their leading principal components and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BlockTransform(nn.Module):
    """Orthonormal rows over blocks of `channels` × `size` × `size` pixels; the rows are fixed, found by `fit_klt`.

    Used as a 1×1 convolution over the unshuffled image, so a block is one position and a coefficient one channel.
    """

    basis: Tensor  # [dims, channels · size²]
    scale: Tensor  # [dims]: standard deviation of each coefficient on the images it was fitted on

    def __init__(self, size: int, dims: int, channels: int = 3) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("basis", torch.eye(dims, channels * size * size))
        self.register_buffer("scale", torch.ones(dims))

    def analyse(self, image: Tensor) -> Tensor:
        """Image [B, C, H, W], zero-mean, to coefficients [B, dims, H/size, W/size]."""
        return F.conv2d(F.pixel_unshuffle(image, self.size), self.basis[:, :, None, None])

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Coefficients [B, dims, h, w] to the image [B, C, h·size, w·size] that has no others."""
        return F.pixel_shuffle(F.conv2d(coefficients, self.basis.T[:, :, None, None]), self.size)

    def signs_when_turned(self) -> Tensor:
        """What turning blocks by 180° multiplies their coefficients with, [dims]: 1 or −1, after `fit_klt`."""
        size = self.size * self.size
        planes = self.basis.view(len(self.basis), -1, size)
        return (planes * planes.flip(2)).sum((1, 2)).sign()

    @torch.no_grad()
    def fit_klt(self, blocks: Tensor, *, first: tuple[int, ...] = ()) -> None:
        """Principal components of zero-mean blocks [N, C, size, size], symmetrized over flips.

        Components come in order of variance, but those of the ranks in `first` are put before all others.
        """
        covariance = torch.zeros(self.basis.shape[1], self.basis.shape[1], dtype=torch.float64)
        for flips in ((), (2,), (3,), (2, 3)):
            flat = (blocks.flip(flips) if flips else blocks).flatten(1).double()
            covariance += flat.T @ flat / (4 * len(flat))
        variances, vectors = torch.linalg.eigh(covariance)
        ranks = len(variances) - 1 - torch.arange(len(variances))
        order = [*first, *(i for i in range(len(ranks)) if i not in first)][: self.basis.shape[0]]
        chosen = ranks[torch.tensor(order)]
        self.basis.copy_(vectors[:, chosen].T)
        self.scale.copy_(variances[chosen].sqrt())
