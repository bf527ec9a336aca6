"""The `photo` model: a linear block transform and networks beside it, quantized by small codebooks at eight rates.

::

    x ─► KLT of 16×16 blocks ─(+)─► z ─► first 3 (the mean colours): uniform steps ───────────► codes 0..2
      └► network f ───────────┘     └──► the rest, minus what those 3 predict: product ECVQ ──► codes 3..
    x̂ ◄─(+)◄─ inverse KLT ◄─ ẑ = entries + prediction
          └── network g ◄──┘

Latents z are scaled by λ^(−1/2) of the quality, so that one bit is worth one unit of squared error everywhere (ECVQ:
Chou, Lookabaugh and Gray 1989). Each quality has its own codebooks; the networks are shared and conditioned on it.
The first three code maps are sent as residuals of the median edge detector (see `median_prediction`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqc.models.base import ImageModel, Int64Array
from vqc.models.config import WRITTEN_WHEN_SET, Config, Shapes, check_codebooks, limited
from vqc.models.photo.median_prediction import from_residuals, to_residuals
from vqc.models.photo.search import PhotoSearch
from vqc.models.search import EncoderSearch, OperatingPoint
from vqc.nn.block_transform import BlockTransform
from vqc.nn.ecvq import GroupedECVQ, to_maps, to_rows
from vqc.nn.pyramid import AnalysisPyramid, NeighbourPrediction, SynthesisPyramid

BLOCK = 16  # pixels per side of a block
MEANS = 3  # leading coefficients: the mean of a block in three colour directions
MEAN_CODES = 256
CORRECTION = 16 / 255  # unit of the synthesis network's output


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(Config):
    """Rates, quantizer and networks of a photo model."""

    lambdas: tuple[float, ...] = limited(  # 8-bit squares a bit
        (11000.0, 6200.0, 3500.0, 1975.0, 1115.0, 630.0, 355.0, 200.0), 1e-3, 1_000_000_000
    )
    mean_step: float = limited(2.5, 1e-3, 1000)  # of the first three latents
    shapes: Shapes = limited(
        ((13, 1, 128), (12, 2, 256), (14, 2, 192), (14, 2, 128), (16, 4, 256), (24, 4, 192), (12, 8, 128)), 1, 65_536
    )
    groups: tuple[int, ...] = limited((), MEANS, 4096)
    # ^ code maps of each quality, the first three included; () for all at each
    entries: tuple[tuple[int, ...], ...] = limited((), 1, 65_536, written_when_set=True)
    # ^ how many entries of the codebooks of each shape each quality uses, the first; () for all
    widths: tuple[int, int, int] = limited((64, 128, 192), 1, 4096)  # at 1/4, 1/8 and 1/16
    analysis_blocks: tuple[tuple[int, ...], ...] = limited(((32,), (128,), (192,)), 1, 4096)
    synthesis_blocks: tuple[tuple[int, ...], ...] = limited(((64,), (128,), (192, 192)), 1, 4096)
    prediction_width: int = limited(64, 1, 4096)
    default_quality: int = limited(6, 1, 255)
    both_ways: bool = field(default=False, metadata=WRITTEN_WHEN_SET)  # see `PhotoModel.restore_both_ways`

    def __post_init__(self) -> None:
        super().__post_init__()
        check_codebooks(self.shapes, self.entries, dims=3 * BLOCK**2 - MEANS, qualities=len(self.lambdas))
        if not self.lambdas or any(coarse <= fine for coarse, fine in pairwise(self.lambdas)):
            raise ValueError(f"lambdas {self.lambdas} do not fall")
        if self.groups and len(self.groups) != len(self.lambdas):
            raise ValueError(f"groups {self.groups} are not one number for each of the {len(self.lambdas)} qualities")
        if len(self.analysis_blocks) != 3 or len(self.synthesis_blocks) != 3:
            raise ValueError("analysis_blocks and synthesis_blocks are not for three scales")
        if self.default_quality > len(self.lambdas):
            raise ValueError(f"default_quality is {self.default_quality} of {len(self.lambdas)}")


class PhotoPass(NamedTuple):
    """A training pass through transform, quantizer and back."""

    image: Tensor  # [B, 3, H, W], about [0, 1]
    commitment: Tensor  # [B]: ‖z − sg(ẑ)‖² a block
    bits: Tensor  # [B]: order-0 bits a block of the codes after the first three
    means: Tensor  # int64 [B, 3, h, w], codes of the first three


class PhotoModel(ImageModel):
    """Images of any content at `len(config.lambdas)` rates."""

    kind: ClassVar[str] = "photo"
    weighs_bits: ClassVar[bool] = True
    default_effort: ClassVar[int] = 3
    float32_tensors: ClassVar[tuple[str, ...]] = ("transform.",)
    perceptual_child: ClassVar[str] = "synthesis"

    config: PhotoConfig
    steps: Tensor  # [Q]: unit of the latents in 8-bit pixel values

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__()
        self.config = config
        levels = len(config.lambdas)
        detail = sum(count * dims for count, dims, _ in config.shapes)
        self.transform = BlockTransform(BLOCK, MEANS + detail)
        self.quantizer = GroupedECVQ(config.shapes, levels, active_sizes=config.entries, decay=0.997)
        self.prediction = NeighbourPrediction(MEANS, detail, config.prediction_width, levels)
        self.analysis = AnalysisPyramid(MEANS + detail, config.widths, config.analysis_blocks, levels)
        self.synthesis = SynthesisPyramid(MEANS + detail, config.widths, config.synthesis_blocks, levels)
        self.register_buffer("steps", torch.tensor(config.lambdas).sqrt(), persistent=False)
        self.register_static_table()

    @property
    def qualities(self) -> int:
        return len(self.config.lambdas)

    @property
    def default_quality(self) -> int:
        return self.config.default_quality

    @property
    def downsampling_factor(self) -> int:
        return BLOCK

    @property
    def halo(self) -> int:
        return 4 * BLOCK

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        sizes = (MEAN_CODES,) * MEANS + self.quantizer.sizes(quality - 1)
        return sizes[: self.config.groups[quality - 1]] if self.config.groups else sizes

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        groups, first = [("mean colours", MEANS)], 1
        coded = len(self.codebook_sizes(quality)) - MEANS
        for count, dims, _ in self.config.shapes:
            last = min(first + count - 1, coded)
            if last >= first:
                unit = "dim" if dims == 1 else "dims"
                groups.append((f"detail {first}-{last} ({dims} {unit})", last - first + 1))
            first += count
        return tuple(groups)

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        """The mean colours [.., h, w] become residuals of their prediction from neighbours; the rest stays."""
        return np.concatenate([to_residuals(codes[:MEANS], MEAN_CODES), codes[MEANS:]])

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        return np.concatenate([from_residuals(symbols[:MEANS], MEAN_CODES), symbols[MEANS:]])

    def encode(self, image: Tensor, quality: int) -> Tensor:
        means, rows = self.mean_codes_and_rest(image, quality)
        codes = self.quantizer.encode(rows, quality - 1, len(self.codebook_sizes(quality)) - MEANS)
        return torch.cat([means, to_maps(codes, means)], 1)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        levels = torch.tensor([quality - 1], device=codes.device)
        return self.restored(self.decoded_latents(codes, quality), levels)

    def decoded_latents(self, codes: Tensor, quality: int) -> Tensor:
        """What codes int64 [B, G, h, w] stand for, [B, D, h, w]."""
        levels = torch.tensor([quality - 1], device=codes.device)
        means, rows = self.mean_values(codes[:, :MEANS]), to_rows(codes[:, MEANS:])
        missing = self.quantizer.count - rows.shape[1]
        rows = torch.cat([rows, rows.new_zeros(len(rows), missing)], 1)
        rest = to_maps(self.quantizer.decode(rows, quality - 1), codes)
        return torch.cat([means, rest + self.predicted(means, levels)], 1)

    def encoder_search(self, signal: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> EncoderSearch:
        return PhotoSearch(self, signal, quality, inner)

    @property
    def lambdas(self) -> tuple[float, ...]:
        return self.config.lambdas

    def operating_point(self, quality: float) -> OperatingPoint:
        """λ between those of the qualities: its nearest quality, and λ relative to that of this quality."""
        wanted = float(np.interp(quality, range(1, self.qualities + 1), np.log(self.config.lambdas)))
        nearest = round(quality)
        return OperatingPoint(nearest, float(np.exp(wanted) / self.config.lambdas[nearest - 1]))

    def latents(self, image: Tensor, levels: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] to latents [B, D, H/16, W/16], one bit being worth one unit of squared error."""
        centred = image.contiguous(memory_format=torch.channels_last) - 0.5
        coefficients = 255 * self.transform.analyse(centred)
        features = coefficients / self._scale()
        latents: Tensor = coefficients / self._steps(levels) + self.analysis(4 * centred, features, levels)
        return latents

    def mean_codes_and_rest(self, image: Tensor, quality: int) -> tuple[Tensor, Tensor]:
        """Image [B, 3, H, W] to mean codes int64 [B, 3, h, w] and the rest for the quantizer, rows [B·h·w, D - 3]."""
        levels = torch.tensor([quality - 1], device=image.device)
        latents = self.latents(image, levels)
        means = self.mean_codes(latents)
        return means, to_rows(self.rest(latents, means, levels))

    def rest(self, latents: Tensor, means: Tensor, levels: Tensor) -> Tensor:
        """What the codes of the first three latents do not predict of the others, [B, D - 3, h, w]."""
        return latents[:, MEANS:] - self.predicted(self.mean_values(means), levels)

    def mean_codes(self, latents: Tensor) -> Tensor:
        """Codes int64 [B, 3, h, w] of the first three latents."""
        codes = torch.round(latents[:, :MEANS] / self.config.mean_step) + MEAN_CODES // 2
        return codes.clamp(0, MEAN_CODES - 1).long()

    def mean_values(self, codes: Tensor) -> Tensor:
        """The inverse of `mean_codes`."""
        return (codes - MEAN_CODES // 2).to(self.steps.dtype) * self.config.mean_step

    def predicted(self, means: Tensor, levels: Tensor) -> Tensor:
        """Quantized first three latents to a prediction of all others [B, D - 3, h, w]."""
        scale, steps = self._scale(), self._steps(levels)
        normalised: Tensor = self.prediction(means * steps / scale[:, :MEANS], levels)
        return normalised * scale[:, MEANS:] / steps

    def restore(self, latents: Tensor, levels: Tensor) -> Tensor:
        """Quantized latents to the image [B, 3, H, W], about [0, 1]."""
        coefficients = latents.contiguous(memory_format=torch.channels_last) * self._steps(levels)
        linear = self.transform.synthesise(coefficients / 255)
        correction: Tensor = self.synthesis(coefficients / self._scale(), 4 * linear, levels)
        return linear + 0.5 + CORRECTION * correction

    def restored(self, latents: Tensor, levels: Tensor) -> Tensor:
        """Quantized latents to the image as `decode` gives it."""
        both = self.config.both_ways and not self.is_perceptual
        return self.restore_both_ways(latents, levels) if both else self.restore(latents, levels)

    def restore_both_ways(self, latents: Tensor, levels: Tensor) -> Tensor:
        """The mean of `restore` and of what it makes of the image turned upside down, turned back.

        The errors of the two differ in part ("self-ensemble": Timofte, Rothe and Van Gool 2016). A coefficient of a
        turned block is the block's own, or its negative: the components of `BlockTransform.fit_klt` are even or odd.
        """
        return (self.restore(latents, levels) + self.restore_turned(latents, levels)) / 2

    def restore_turned(self, latents: Tensor, levels: Tensor) -> Tensor:
        """The image that `restore` makes of the latents of the turned one, turned back."""
        signs = self.transform.signs_when_turned()[None, :, None, None]
        return self.restore((latents * signs).flip(2, 3), levels).flip(2, 3)

    def forward(self, image: Tensor, levels: Tensor) -> PhotoPass:
        """Training pass of images [B, 3, H, W] at levels int64 [B] (0-based); codebooks follow when training."""
        latents = self.latents(image, levels)
        codes = self.mean_codes(latents.detach())
        means = self.mean_values(codes)
        predicted = self.predicted(means, levels)
        rest = latents[:, MEANS:] - predicted
        entries, bits = torch.empty_like(rest), rest.new_zeros(len(image))
        for level in sorted(set(levels.tolist())):
            chosen = levels == level
            result = self.quantizer(to_rows(rest[chosen].detach()), level)
            entries[chosen] = to_maps(result.quantized, rest[chosen])
            bits[chosen] = result.bits
        target = torch.cat([means, entries + predicted.detach()], 1)
        commitment = (latents[:, :MEANS] - means).square().sum(1) + (rest - entries).square().sum(1)
        through = latents + (target - latents).detach()
        restored = self.restore(through, levels) if self.training else self.restored(through, levels)
        return PhotoPass(restored, commitment.mean((1, 2)), bits, codes)

    def _steps(self, levels: Tensor) -> Tensor:
        return self.steps[levels, None, None, None]

    def _scale(self) -> Tensor:
        return self.transform.scale[None, :, None, None]
