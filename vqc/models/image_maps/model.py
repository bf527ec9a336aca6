"""Several code maps on one fine grid, as where the VQ-VAE paper reports likelihoods (8×8×10 latents of CIFAR-10).

::

    x ─► KLT of 4×4 blocks ─(+)─► z ─► product ECVQ ─► codes, a map for each group of components
      └► network f ─────────┘
    x̂ ◄─(+)◄─ inverse KLT ◄─ ẑ
          └── network g ◄──┘

The codes are fine enough that what is left of the image is nearly white noise, so that codes and residual together take
about as many bits as lossless compression (`total_bpd` of `vqc eval`). Latents are in units of √λ, as in `photo`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.base import ImageModel
from vqc.models.config import Config, Shapes, check_codebooks, limited
from vqc.nn.block_transform import BlockTransform
from vqc.nn.ecvq import GroupedECVQ, to_maps, to_rows
from vqc.nn.residual import ResidualStack

CORRECTION = 16 / 255  # unit of the synthesis network's output


@dataclass(frozen=True, kw_only=True)
class ImageMapsConfig(Config):
    """Rate, code maps and networks."""

    block: int = limited(4, 2, 64)  # pixels per side of a code
    squared_error: float = limited(30.0, 1e-3, 1_000_000)  # λ: squares of 8-bit values that are worth a bit
    # maps, dimensions, entries
    shapes: Shapes = limited(((8, 1, 256), (4, 2, 512), (2, 4, 512)), 1, 65_536)
    width: int = limited(128, 1, 4096)
    analysis_layers: int = limited(2, 0, 64)
    synthesis_layers: int = limited(4, 0, 64)
    fine_width: int = limited(64, 1, 4096)  # at twice the resolution of the codes
    fine_layers: int = limited(2, 0, 64)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block % 2:
            raise ValueError(f"block is {self.block}; it must be even")
        if any(size < 2 for _, _, size in self.shapes):
            raise ValueError(f"shapes are {self.shapes}; a map has at least 2 entries")
        check_codebooks(self.shapes, (), dims=3 * self.block**2, qualities=1)


class MapsPass(NamedTuple):
    """A training pass through transform, quantizer and back."""

    image: Tensor  # [B, 3, H, W], about [0, 1]
    commitment: Tensor  # scalar: mean of ‖z − sg(ẑ)‖² over blocks
    bits: Tensor  # scalar: mean of the order-0 bits of a block


class ImageMaps(ImageModel):
    """Images to codes [B, G, H/f, W/f] of G maps and back, at one quality."""

    kind: ClassVar[str] = "image-maps"
    float32_tensors: ClassVar[tuple[str, ...]] = ("transform.",)
    int8_tensors: ClassVar[tuple[str, ...]] = ("analysis.",)

    config: ImageMapsConfig

    def __init__(self, config: ImageMapsConfig) -> None:
        super().__init__()
        self.config = config
        dims = sum(count * dims for count, dims, _ in config.shapes)
        self.transform = BlockTransform(config.block, dims)
        self.quantizer = GroupedECVQ(config.shapes, 1, decay=0.997)
        self.analysis = Analysis(config, dims)
        self.synthesis = Synthesis(config, dims)
        self.register_static_table()

    @property
    def downsampling_factor(self) -> int:
        return self.config.block

    @property
    def halo(self) -> int:
        reach = max(self.config.analysis_layers, self.config.synthesis_layers + self.config.fine_layers) + 2
        return reach * self.config.block

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return self.quantizer.sizes[0]

    def codebooks(self, quality: int) -> list[Tensor]:
        return [self.quantizer.entries(group, 0) for group in range(self.quantizer.count)]

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        groups, first = [], 1
        for count, dims, _ in self.config.shapes:
            unit = "dim" if dims == 1 else "dims"
            groups.append((f"maps {first}-{first + count - 1} ({dims} {unit})", count))
            first += count
        return tuple(groups)

    def encode(self, image: Tensor, quality: int) -> Tensor:
        latents = self.latents(image)
        return to_maps(self.quantizer.encode(to_rows(latents), 0), latents)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        return self.restore(to_maps(self.quantizer.decode(to_rows(codes), 0), codes))

    def latents(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] to latents [B, D, h, w]; one bit is worth one unit of squared error."""
        coefficients = 255 * self.transform.analyse(image - 0.5)  # [B, D, h, w] in 8-bit values
        features = coefficients / self._scale()  # of unit variance, for the network
        latents: Tensor = coefficients / self._step + self.analysis(features)
        return latents

    def restore(self, latents: Tensor) -> Tensor:
        """Quantized latents [B, D, h, w] to the image [B, 3, H, W], about [0, 1]."""
        coefficients = latents * self._step  # [B, D, h, w] in 8-bit values
        linear = self.transform.synthesise(coefficients / 255)
        correction: Tensor = self.synthesis(coefficients / self._scale())
        return linear + 0.5 + CORRECTION * correction

    def forward(self, image: Tensor) -> MapsPass:
        """Training pass of images [B, 3, H, W]; codebooks follow when training."""
        latents = self.latents(image)
        result = self.quantizer(to_rows(latents.detach()), 0)
        entries = to_maps(result.quantized, latents)
        commitment = (latents - entries).square().sum(1).mean()
        through = latents + (entries - latents).detach()  # straight-through: the gradient of the identity
        return MapsPass(self.restore(through), commitment, result.bits)

    @property
    def _step(self) -> float:
        return math.sqrt(self.config.squared_error)

    def _scale(self) -> Tensor:
        return self.transform.scale[None, :, None, None]


class Analysis(nn.Module):
    """Network from coefficients [B, D, h, w] to corrections of them; zero at the start."""

    def __init__(self, config: ImageMapsConfig, dims: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(dims, config.width, 3, padding=1)
        self.stack = ResidualStack(2, config.width, config.width, config.analysis_layers)
        self.project = _zero(nn.Conv2d(config.width, dims, 1))

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.project(self.stack(self.enter(features)))
        return out


class Synthesis(nn.Module):
    """Network from quantized coefficients [B, D, h, w] to a correction of the image [B, 3, H, W]; zero at the start."""

    def __init__(self, config: ImageMapsConfig, dims: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(dims, config.width, 3, padding=1)
        self.stack = ResidualStack(2, config.width, config.width, config.synthesis_layers)
        self.up = nn.Conv2d(config.width, 4 * config.fine_width, 1)
        self.fine = ResidualStack(2, config.fine_width, config.fine_width, config.fine_layers)
        self.side = config.block // 2
        self.project = _zero(nn.Conv2d(config.fine_width, 3 * self.side**2, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        h = F.pixel_shuffle(self.up(self.stack(self.enter(features))), 2)  # [B, fine_width, 2h, 2w]
        return F.pixel_shuffle(self.project(self.fine(h)), self.side)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None, "these have one"
    nn.init.zeros_(layer.bias)
    return layer
