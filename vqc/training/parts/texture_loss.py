"""Difference of two images in texture: in its amount at each place, not in the position of each grain."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALES = 3  # full size, half and a quarter
WINDOW = 8  # side of the windows of energies, in pixels of a scale; they overlap by half
FAINT = 1e-4  # energy that is added: detail below 1 % of full scale hardly counts


class TextureLoss(nn.Module):
    """Mean absolute difference of local energies (root mean squares) of the bands of images [B, 3, H, W] in [0, 1].

    Bands are of brightness and two colour differences (BT.601), at each scale three: what a blur by two takes away, and
    the differences of neighbours across and down.
    """

    def __init__(self) -> None:
        super().__init__()
        red, green, blue = 0.299, 0.587, 0.114
        rows = [(red, green, blue), (0.5, -0.419, -0.081), (-0.169, -0.331, 0.5)]
        self.register_buffer("colours", torch.tensor(rows)[..., None, None], persistent=False)
        self.colours: Tensor

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        pairs = zip(self.energies(estimate), self.energies(target), strict=True)
        return torch.stack([(found - wanted).abs().mean() for found, wanted in pairs]).mean()

    def energies(self, image: Tensor) -> Iterator[Tensor]:
        """Yield the local energies of each band, [B, 3, h, w]; images too small for a scale have none there."""
        scaled = F.conv2d(image, self.colours)  # [B, 3, H, W]: brightness, two colour differences
        for _ in range(SCALES):
            height, width = (n // 2 * 2 for n in scaled.shape[-2:])
            if not height or not width:
                return
            scaled = scaled[..., :height, :width]
            coarse = F.avg_pool2d(scaled, 2)  # [B, 3, H/2, W/2]
            blurred = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
            for band in (scaled - blurred, scaled.diff(dim=-1), scaled.diff(dim=-2)):
                window = [min(WINDOW, n) for n in band.shape[-2:]]
                stride = [-(-n // 2) for n in window]
                yield (F.avg_pool2d(band.square(), window, stride) + FAINT).sqrt()
            scaled = coarse
