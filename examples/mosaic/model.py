"""Mosaics: one colour a block, of a palette that is learnt."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.base import ImageModel
from vqc.models.config import Config, limited


@dataclass(frozen=True, kw_only=True)
class MosaicConfig(Config):
    """Everything that determines a `Mosaic`."""

    block: int = limited(8, 2, 64)  # pixels a side of a code
    colours: int = limited(32, 2, 4096)


class Mosaic(ImageModel):
    """Images [B, 3, H, W] in [0, 1] to codes [B, 1, H/block, W/block] and back."""

    kind = "mosaic"
    halo = 0  # a block depends on no pixel but its own

    def __init__(self, config: MosaicConfig) -> None:
        super().__init__()
        self.config = config
        self.palette = nn.Parameter(torch.rand(config.colours, 3))
        self.register_static_table()

    @property
    def downsampling_factor(self) -> int:
        return self.config.block

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (self.config.colours,)

    def codebooks(self, quality: int) -> list[Tensor]:
        return [self.palette]

    def encode(self, image: Tensor, quality: int) -> Tensor:
        means = F.avg_pool2d(image, self.config.block).movedim(1, -1)  # [B, h, w, 3]
        return torch.cdist(means.flatten(1, 2), self.palette).argmin(-1).view(means.shape[:3])[:, None]

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        colours = self.palette[codes[:, 0]].movedim(-1, 1)  # [B, 3, h, w]
        return F.interpolate(colours, scale_factor=float(self.config.block))
