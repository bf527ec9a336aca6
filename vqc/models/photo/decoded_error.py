"""The error of the decoded image, as a search for its codes sees it: in blocks, without the image.

::

    latents ─┬─ transform ─► blocks ─► network ─► what it adds ─ projection ─► its latents ─┐
             └──────────────────────────────────────────────────────────────────────────────┴─► what latents lack

The transform is orthonormal: of the part of the image that it makes, latents say all. The network sees an image by
quarters of blocks, and gives quarters. So pixels are put into rows nowhere, which took a twentieth of a step.

Pixels of a block of 16×16 are in the order of its quarters here, [4, 4, C, 4, 4], those of an image [B, h, w, 768].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vqc.devices import quick_networks
from vqc.nn.block_transform import BlockTransform

QUARTER = 4  # pixels of its side


class DecodedError:
    """What codes of an image lack, in its latents [B, D, h, w].

    Args:
        transform: `step` computes its first `means` components, the means of a block, in float32.
        network: of latents, and of the image that the transform makes of them, gives what it adds, in units of
            `correction`. Both images are [B, C · 16, 4 · h, 4 · w], as `F.pixel_unshuffle` cuts into 4×4 pixels.
        image: [B, 3, H, W] in [0, 1].
        target: the latents that the transform alone makes of it.
        unit: of latents, in values of 0 to 1.
    """

    def __init__(
        self,
        transform: BlockTransform,
        network: Callable[[Tensor, Tensor], Tensor],
        image: Tensor,
        target: Tensor,
        *,
        unit: float,
        correction: float,
        means: int,
    ) -> None:
        self.network, self.image, self.target = network, image, target
        self.unit, self.correction, self.means = unit, correction, means
        self.size, self.signs = transform.size, transform.rotation_signs()[None, :, None, None]
        planes = transform.basis.view(len(transform.basis), -1, self.size, self.size)
        self.basis = unit * by_quarters(planes, self.size).flatten(0, 2)  # [D, 768]

    def linear_step(self, latents: Tensor, *, rotated: bool = False) -> Tensor:
        """Latents of what the decoded image lacks, were what the network adds to it a constant.

        Args:
            rotated: decode the image rotated by 180°, and rotate what it lacks back.
        """
        at = self._turned(latents, rotated)
        with quick_networks(latents.device):
            added = self._added(at, self._transformed(at, self.basis))
            step = self._projected(added)
        return self._turned(step, rotated).neg_().add_(self.target).sub_(latents)

    def step(self, latents: Tensor, *, rotated: bool = False) -> Tensor:
        """Minus half the slope of the squared error, which is in units of the latents: `linear_step`, and the rest."""
        with torch.inference_mode(False), torch.enable_grad(), quick_networks(latents.device):
            at = self._turned(latents, rotated).clone().requires_grad_(True)
            # copies, because what was made in inference mode cannot be kept for a backward pass
            rest, means = self.basis[self.means :].clone(), self.basis[: self.means].clone()
            fine = self._transformed(at[:, self.means :], rest)
            with torch.autocast(latents.device.type, enabled=False):
                coarse = self._transformed(at[:, : self.means], means)
            blocks = fine + coarse
            added = self._added(at, blocks)
            lacks = self._pixels(rotated).sub_(blocks.detach()).sub_(added.detach(), alpha=self.correction)
            # a product of its own, because to be given slopes makes torch import its compiler
            (slope,) = torch.autograd.grad(torch.dot(added.flatten().float(), lacks.flatten()), at)
            slope.mul_(self.correction / self.unit**2)
            through = self._turned(slope.sub_(self._projected(added.detach())), rotated)
        return through.add_(self.target).sub_(latents)

    def _turned(self, latents: Tensor, rotated: bool) -> Tensor:
        """Latents of the image, or of that rotated: components are even or odd, see `BlockTransform.fit_klt`."""
        return (latents * self.signs).flip(2, 3) if rotated else latents

    def _transformed(self, latents: Tensor, basis: Tensor) -> Tensor:
        """Blocks [B, h, w, 768] of latents [B, n, h, w], of so many components."""
        return latents.permute(0, 2, 3, 1) @ basis

    def _projected(self, added: Tensor) -> Tensor:
        """Latents of what the network adds, [B, h, w, 768]."""
        projected = (added @ self.basis.T).permute(0, 3, 1, 2).float()
        return projected.mul_(self.correction / self.unit**2)

    def _added(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """What the network adds to blocks [B, h, w, 768] that the transform has made of latents."""
        count, height, width, _ = blocks.shape
        side = self.size // QUARTER
        rows = blocks.reshape(count, height, width, side, side, -1).transpose(2, 3)  # [B, h, 4, w, 4, 48]
        quarters = rows.reshape(count, height * side, width * side, -1).permute(0, 3, 1, 2)
        added = self.network(latents, quarters).permute(0, 2, 3, 1)  # [B, 4 · h, 4 · w, 48]
        return added.reshape(count, height, side, width, side, -1).transpose(2, 3).flatten(3)

    def _pixels(self, rotated: bool) -> Tensor:
        """The image, or that rotated, [B, h, w, 768]; grey is 0."""
        image = self.image.flip(2, 3) if rotated else self.image
        return by_quarters(image, self.size).sub_(0.5)


def by_quarters(image: Tensor, size: int) -> Tensor:
    """Cut an image [B, C, H, W] into blocks of so many pixels a side, by quarters: a copy, [B, h, w, C · size²]."""
    (count, channels, *sides), parts = image.shape, (size // QUARTER, QUARTER)
    height, width = (side // size for side in sides)
    cut = image.reshape(count, channels, height, *parts, width, *parts)  # [B, C, h, Y, y, w, X, x]
    return cut.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(count, height, width, -1)
