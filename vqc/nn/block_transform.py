"""Linear block transform (Karhunen–Loève): square blocks of pixels to their leading principal components and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vqc.nn.precision import in_float32


class BlockTransform(nn.Module):
    """Orthonormal rows over blocks of `channels` × `size` × `size` pixels; the rows are fixed, found by `fit_klt`."""

    basis: Tensor  # [dims, channels · size²]
    scale: Tensor  # [dims]: standard deviation of each coefficient on the images it was fitted on

    def __init__(self, size: int, dims: int, channels: int = 3) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("basis", torch.eye(dims, channels * size * size))
        self.register_buffer("scale", torch.ones(dims))

    @in_float32
    def analyse(self, image: Tensor) -> Tensor:
        """Image [B, C, H, W], zero-mean, to coefficients [B, dims, H/size, W/size]."""
        return (cut_blocks(image, self.size) @ self.basis.T).permute(0, 3, 1, 2)

    @in_float32
    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Coefficients [B, dims, h, w] to the image [B, C, h·size, w·size] that has no others."""
        return join_blocks(coefficients.permute(0, 2, 3, 1) @ self.basis, self.size)

    def rotation_signs(self) -> Tensor:
        """Return the signs [dims], 1 or −1, that a rotation by 180° gives the coefficients; after `fit_klt`."""
        size = self.size * self.size
        planes = self.basis.view(len(self.basis), -1, size)  # [dims, C, size²]; reversed pixels are the rotation
        return (planes * planes.flip(2)).sum((1, 2)).sign()

    @torch.no_grad()
    def fit_klt(self, blocks: Tensor, *, means_first: bool = False) -> None:
        """Find the principal components of zero-mean blocks [N, C, size, size], symmetrized over flips.

        They come by falling variance. With `means_first` the first C rows are flat, exactly: a block's mean in C
        orthogonal colour directions. All others then see blocks without their means, so that no colour, however rare,
        is left to them.
        """
        covariance = torch.zeros(self.basis.shape[1], self.basis.shape[1], dtype=torch.float64)  # [C·s², C·s²]
        for flips in ((), (2,), (3,), (2, 3)):  # so that every component is even or odd along both axes
            flat = (blocks.flip(flips) if flips else blocks).flatten(1).double()  # [N, C·s²]
            covariance += flat.T @ flat / (4 * len(flat))
        parts = []
        if means_first:
            channels = blocks.shape[1]
            means = torch.eye(channels, dtype=torch.float64).repeat_interleave(self.size**2, 1) / self.size  # [C, C·s²]
            variances, directions = _components(means @ covariance @ means.T)
            parts.append((variances, directions @ means))
            # the projection onto what the means leave
            without = torch.eye(len(covariance), dtype=torch.float64) - means.T @ means
            covariance = without @ covariance @ without
        parts.append(_components(covariance))
        variances, rows = (torch.cat(column)[: len(self.basis)] for column in zip(*parts, strict=True))
        self.basis.copy_(rows)
        self.scale.copy_(variances.sqrt())


def cut_blocks(image: Tensor, size: int) -> Tensor:
    """Cut an image [B, C, H, W] into blocks [B, H/size, W/size, C · size²].

    As `F.pixel_unshuffle` does, which takes ten times as long on a CPU.
    """
    count, channels, height, width = image.shape
    parts = image.reshape(count, channels, height // size, size, width // size, size)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(count, height // size, width // size, -1)


def join_blocks(blocks: Tensor, size: int) -> Tensor:
    """Put blocks [B, h, w, C · size²] together to an image [B, C, h·size, w·size]; the inverse of `cut_blocks`."""
    count, height, width, _ = blocks.shape
    parts = blocks.reshape(count, height, width, -1, size, size)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(count, -1, height * size, width * size)


def _components(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Variances [n], largest first, and orthonormal rows [n, n] of a covariance [n, n]."""
    variances, vectors = torch.linalg.eigh(covariance)
    return variances.flip(0), vectors.T.flip(0)
