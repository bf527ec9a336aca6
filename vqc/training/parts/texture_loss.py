"""How alike two images are in texture: how much there is of it at each place, not where each grain of it lies."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALES = 3  # full size, half and a quarter
WINDOW = 8  # pixels of a scale, per side of what energies are measured in; they overlap by half
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
        """Of each band, [B, 3, h, w]; images too small for a scale have none there."""
        level = F.conv2d(image, self.colours)
        for _ in range(SCALES):
            height, width = (n // 2 * 2 for n in level.shape[-2:])
            if not height or not width:
                return
            level = level[..., :height, :width]
            coarse = F.avg_pool2d(level, 2)
            blurred = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
            for band in (level - blurred, level.diff(dim=-1), level.diff(dim=-2)):
                window = [min(WINDOW, n) for n in band.shape[-2:]]
                stride = [-(-n // 2) for n in window]
                yield (F.avg_pool2d(band.square(), window, stride) + FAINT).sqrt()
            level = coarse
