"""The `photo` model: a linear block transform and networks beside it, quantized by small codebooks at eight rates.

::

    x ─► KLT of 16×16 blocks ─(+)─► z ─► DC, the mean colours: uniform steps ───────────► codes 0..2
      └► network f ───────────┘     └──► AC, less what DC codes predict: product ECVQ ──► codes 3..
    x̂ ◄─(+)◄─ inverse KLT ◄─ ẑ = entries + prediction
          └── network g ◄──┘

Latents z are scaled by λ^(−1/2) of the quality, so that one bit is worth one unit of squared error everywhere (ECVQ:
Chou, Lookabaugh and Gray 1989). Each quality has its own codebooks; the networks are shared and conditioned on it.
The DC codes are sent as residuals of the median edge detector (see `median_prediction`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.devices import quick_networks
from vqc.models.base import ImageModel, Int64Array
from vqc.models.config import WRITTEN_WHEN_SET, Config, Shapes, check_codebooks, limited
from vqc.models.photo.decoded_error import DecodedError
from vqc.models.photo.median_prediction import from_residuals, to_residuals
from vqc.models.photo.search import CONTEXT, PhotoSearch, TileSearch
from vqc.models.search import EncoderSearch
from vqc.nn.block_transform import BlockTransform
from vqc.nn.ecvq import GroupedECVQ, to_maps, to_rows
from vqc.nn.precision import in_float32
from vqc.nn.pyramid import AnalysisPyramid, NeighbourPrediction, SynthesisPyramid

BLOCK = 16  # pixels per side of a block
DC_COUNT = 3  # leading coefficients: the mean of a block in three colour directions
DC_SIZE = 256  # codes of each
CORRECTION = 16 / 255  # unit of the synthesis network's output


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(Config):
    """Rates, quantizer and networks of a photo model."""

    lambdas: tuple[float, ...] = limited(  # 8-bit squares a bit
        (11000.0, 6200.0, 3500.0, 1975.0, 1115.0, 630.0, 355.0, 200.0), 1e-3, 1_000_000_000
    )
    mean_step: float = limited(2.5, 1e-3, 1000)  # of the DC coefficients
    shapes: Shapes = limited(
        ((13, 1, 128), (12, 2, 256), (14, 2, 192), (14, 2, 128), (16, 4, 256), (24, 4, 192), (12, 8, 128)), 1, 65_536
    )
    groups: tuple[int, ...] = limited((), DC_COUNT, 4096)  # code maps of each quality, DC included; () for all
    # Entries that each quality uses of the codebooks of each shape, [qualities][shapes]; () for all.
    entries: tuple[tuple[int, ...], ...] = limited((), 1, 65_536, written_when_set=True)
    widths: tuple[int, int, int] = limited((64, 128, 192), 1, 4096)  # at 1/4, 1/8 and 1/16
    analysis_blocks: tuple[tuple[int, ...], ...] = limited(((32,), (128,), (192,)), 1, 4096)
    synthesis_blocks: tuple[tuple[int, ...], ...] = limited(((64,), (128,), (192, 192)), 1, 4096)
    late_blocks: int = limited(0, 0, 64, written_when_set=True)  # of the last at 1/4, which a search leaves out
    prediction_width: int = limited(64, 1, 4096)
    default_quality: int = limited(6, 1, 255)
    both_ways: bool = field(default=False, metadata=WRITTEN_WHEN_SET)  # see `PhotoModel.self_ensemble`

    def __post_init__(self) -> None:
        super().__post_init__()
        check_codebooks(self.shapes, self.entries, dims=3 * BLOCK**2 - DC_COUNT, qualities=len(self.lambdas))
        if not self.lambdas or any(coarse <= fine for coarse, fine in pairwise(self.lambdas)):
            raise ValueError(f"lambdas {self.lambdas} do not fall")
        if self.groups and len(self.groups) != len(self.lambdas):
            raise ValueError(f"groups {self.groups} are not one number for each of the {len(self.lambdas)} qualities")
        if len(self.analysis_blocks) != 3 or len(self.synthesis_blocks) != 3:
            raise ValueError("analysis_blocks and synthesis_blocks are not for three scales")
        if self.late_blocks and self.late_blocks >= len(self.synthesis_blocks[0]):
            raise ValueError(f"late_blocks is {self.late_blocks} of {len(self.synthesis_blocks[0])}")
        if self.default_quality > len(self.lambdas):
            raise ValueError(f"default_quality is {self.default_quality} of {len(self.lambdas)}")


class PhotoPass(NamedTuple):
    """A training pass through transform, quantizer and back."""

    image: Tensor  # [B, 3, H, W], about [0, 1]
    commitment: Tensor  # [B]: ‖z − sg(ẑ)‖² a block
    bits: Tensor  # [B]: order-0 bits a block of the AC codes
    dc_codes: Tensor  # int64 [B, 3, h, w]


class PhotoModel(ImageModel):
    """Images of any content at `len(config.lambdas)` rates."""

    kind: ClassVar[str] = "photo"
    weighs_bits: ClassVar[bool] = True
    lambda_step: ClassVar[float] = 3.5  # so the sizes of two qualities meet halfway
    default_effort: ClassVar[int] = 5
    float32_tensors: ClassVar[tuple[str, ...]] = ("transform.",)
    int8_tensors: ClassVar[tuple[str, ...]] = ("analysis.",)
    perceptual_child: ClassVar[str] = "synthesis"

    downsampling_factor = BLOCK
    halo = 4 * BLOCK
    encoder_halo = CONTEXT * BLOCK

    config: PhotoConfig
    steps: Tensor  # [Q]: unit of the latents in 8-bit pixel values

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__()
        self.config = config
        qualities = len(config.lambdas)
        detail = sum(count * dims for count, dims, _ in config.shapes)
        self.transform = BlockTransform(BLOCK, DC_COUNT + detail)
        self.quantizer = GroupedECVQ(config.shapes, qualities, active_sizes=config.entries, decay=0.997)
        self.prediction = NeighbourPrediction(DC_COUNT, detail, config.prediction_width, qualities)
        self.analysis = AnalysisPyramid(DC_COUNT + detail, config.widths, config.analysis_blocks, qualities)
        self.synthesis = SynthesisPyramid(DC_COUNT + detail, config.widths, config.synthesis_blocks, qualities)
        self.register_buffer("steps", torch.tensor(config.lambdas).sqrt(), persistent=False)
        self.register_static_table()

    @property
    def qualities(self) -> int:
        return len(self.config.lambdas)

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        sizes = (DC_SIZE,) * DC_COUNT + self.quantizer.sizes[quality - 1]
        return sizes[: self.config.groups[quality - 1]] if self.config.groups else sizes

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        groups, first = [("mean colours", DC_COUNT)], 1
        coded = len(self.codebook_sizes(quality)) - DC_COUNT
        for count, dims, _ in self.config.shapes:
            last = min(first + count - 1, coded)
            if last >= first:
                unit = "dim" if dims == 1 else "dims"
                groups.append((f"detail {first}-{last} ({dims} {unit})", last - first + 1))
            first += count
        return tuple(groups)

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        """Turn DC codes into residuals of their prediction from neighbours; AC codes stay: [G, h, w] to the same."""
        return np.concatenate([to_residuals(codes[:DC_COUNT], DC_SIZE), codes[DC_COUNT:]])

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        return np.concatenate([from_residuals(symbols[:DC_COUNT], DC_SIZE), symbols[DC_COUNT:]])

    def encode(self, image: Tensor, quality: int) -> Tensor:
        return self.encoder_search(image, quality).codes

    def encoder_search(self, signal: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> EncoderSearch:
        if all(part == slice(0, side // BLOCK) for part, side in zip(inner, signal.shape[2:], strict=False)):
            return PhotoSearch(self, signal, quality, inner)
        return TileSearch(self, signal, quality, inner, block=BLOCK)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        with quick_networks(codes.device):
            return self.restore(self.dequantize(codes, quality), self.index(quality))

    def dequantize(self, codes: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, h, w] to quantized latents [B, D, h, w]; groups that the quality does not have are 0."""
        dc = self.dc_values(codes[:, :DC_COUNT])  # [B, 3, h, w]
        ac = self.dequantize_ac(codes[:, DC_COUNT:], quality) + self.predict_ac(dc, self.index(quality))
        return torch.cat([dc, ac], 1)

    def dequantize_ac(self, codes: Tensor, quality: int) -> Tensor:
        """AC codes int64 [B, G - 3, h, w] to the entries they stand for, [B, D - 3, h, w]."""
        rows = to_rows(codes)  # [B·h·w, G - 3]
        rows = F.pad(rows, (0, self.quantizer.count - rows.shape[1]))
        return to_maps(self.quantizer.decode(rows, quality - 1), codes)

    @property
    def lambdas(self) -> tuple[float, ...]:
        return self.config.lambdas

    # The methods below take an index: int64 [1] or [B], the quality of all images or of each, counted from 0.

    def index(self, quality: int) -> Tensor:
        """The index int64 [1] of a quality, on the model's device."""
        return torch.tensor([quality - 1], device=self.steps.device)

    def latents(self, image: Tensor, index: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] to latents [B, D, H/16, W/16], one bit being worth one unit of squared error."""
        return self.latents_of(self.coefficients(image), image, index)

    def coefficients(self, image: Tensor) -> Tensor:
        """Image [B, 3, H, W] in [0, 1] to what the transform makes of it, [B, D, H/16, W/16] in 8-bit values."""
        return 255 * self.transform.analyse(image - 0.5)

    def latents_of(self, coefficients: Tensor, image: Tensor, index: Tensor) -> Tensor:
        """The latents of an image whose coefficients are there already."""
        added = self.analysis((image - 0.5).mul_(4), coefficients / self._scale(), index)
        latents: Tensor = coefficients / self._steps(index) + added
        return latents

    def decoded_error(self, image: Tensor, coefficients: Tensor, quality: int) -> DecodedError:
        """What codes of an image lack, for a search.

        Late blocks are left out: they were added to a decoder that was trained without them, and by what they do a
        search finds codes that are no better.
        """
        index, (fine, *_) = self.index(quality), self.config.synthesis_blocks

        def network(latents: Tensor, quarters: Tensor) -> Tensor:
            seen = self.synthesis.look(4 * quarters)
            fine_blocks = len(fine) - self.config.late_blocks
            return self.synthesis.quarters(self._features(latents, index), seen, index, fine_blocks)

        unit = self.config.lambdas[quality - 1] ** 0.5
        return DecodedError(
            self.transform,
            network,
            image,
            coefficients / unit,
            unit=unit / 255,
            correction=CORRECTION,
            means=DC_COUNT,
        )

    def dc_codes(self, latents: Tensor) -> Tensor:
        """Quantize the DC coefficients of latents to codes int64 [B, 3, h, w]."""
        codes = torch.round(latents[:, :DC_COUNT] / self.config.mean_step) + DC_SIZE // 2
        return codes.clamp(0, DC_SIZE - 1).long()

    def dc_values(self, codes: Tensor) -> Tensor:
        """The inverse of `dc_codes`."""
        return (codes - DC_SIZE // 2).to(self.steps.dtype) * self.config.mean_step

    @in_float32
    def predict_ac(self, dc: Tensor, index: Tensor) -> Tensor:
        """Quantized DC coefficients [B, 3, h, w] to a prediction of all others [B, D - 3, h, w]."""
        scale, steps = self._scale(), self._steps(index)  # networks see values of about unit size
        normalised: Tensor = self.prediction(dc * steps / scale[:, :DC_COUNT], index)
        return normalised * scale[:, DC_COUNT:] / steps

    def ac_residual(self, latents: Tensor, dc_codes: Tensor, index: Tensor) -> Tensor:
        """The AC coefficients [B, D - 3, h, w] less their prediction from the DC codes."""
        return latents[:, DC_COUNT:] - self.predict_ac(self.dc_values(dc_codes), index)

    def ac_rows(self, image: Tensor, quality: int) -> Tensor:
        """Image [B, 3, H, W] to what its quantizer is given, rows [B·h·w, D - 3]."""
        latents = self.latents(image, self.index(quality))
        return to_rows(self.ac_residual(latents, self.dc_codes(latents), self.index(quality)))

    def restore(self, latents: Tensor, index: Tensor) -> Tensor:
        """Quantized latents [B, D, h, w] to the image as `decode` gives it."""
        twice = self.config.both_ways and not self.is_perceptual
        return self.self_ensemble(latents, index) if twice else self.synthesize(latents, index)

    def synthesize(self, latents: Tensor, index: Tensor) -> Tensor:
        """Quantized latents [B, D, h, w] to an image [B, 3, H, W], about [0, 1]."""
        image = self._linear(latents, index)
        return _corrected(image, self.synthesis(self._features(latents, index), image, index))

    def self_ensemble(self, latents: Tensor, index: Tensor) -> Tensor:
        """The mean of the images that are synthesized as they are and rotated.

        The errors of the two differ in part (self-ensemble: Timofte, Rothe and Van Gool 2016). What takes memory, 7 or
        16 MB of a tile, is made when it is needed and not held.
        """
        image = self._linear(latents, index)
        rotated = self.synthesis(self._rotated(self._features(latents, index)), image.flip(2, 3), index).flip(2, 3)
        return _corrected(image, self.synthesis(self._features(latents, index), image, index).add_(rotated), count=2)

    def _rotated(self, coefficients: Tensor) -> Tensor:
        """Coefficients [B, D, h, w] of the image rotated by 180°.

        A coefficient of a rotated block is the block's own, or its negative: the components of
        `BlockTransform.fit_klt` are even or odd.
        """
        signs = self.transform.rotation_signs()[None, :, None, None]
        return (coefficients * signs).flip(2, 3)

    def _features(self, latents: Tensor, index: Tensor) -> Tensor:
        """What the synthesis network sees of latents, [B, D, h, w]."""
        return latents.contiguous(memory_format=torch.channels_last) * (self._steps(index) / self._scale())

    def _linear(self, latents: Tensor, index: Tensor) -> Tensor:
        """The image [B, 3, H, W] of the transform alone, as the synthesis network sees it: −2 is black, 2 white."""
        scaled = latents.contiguous(memory_format=torch.channels_last) * (self._steps(index) / 255)
        return self.transform.synthesise(scaled).mul_(4)

    def forward(self, image: Tensor, index: Tensor) -> PhotoPass:
        """Training pass of images [B, 3, H, W] at qualities int64 [B]; codebooks follow when training."""
        latents = self.latents(image, index)
        dc_codes = self.dc_codes(latents.detach())
        dc = self.dc_values(dc_codes)
        predicted = self.predict_ac(dc, index)
        ac = latents[:, DC_COUNT:] - predicted  # [B, D - 3, h, w]
        entries, bits = torch.empty_like(ac), ac.new_zeros(len(image))
        for one in sorted(set(index.tolist())):
            rows = index == one
            result = self.quantizer(to_rows(ac[rows].detach()), one)
            entries[rows] = to_maps(result.quantized, ac[rows])
            bits[rows] = result.bits
        target = torch.cat([dc, entries + predicted.detach()], 1)
        commitment = (latents[:, :DC_COUNT] - dc).square().sum(1) + (ac - entries).square().sum(1)  # [B, h, w]
        through = latents + (target - latents).detach()  # straight-through: the gradient of the identity
        restored = self.synthesize(through, index) if self.training else self.restore(through, index)
        return PhotoPass(restored, commitment.mean((1, 2)), bits, dc_codes)

    def _steps(self, index: Tensor) -> Tensor:
        return self.steps[index, None, None, None]

    def _scale(self) -> Tensor:
        return self.transform.scale[None, :, None, None]


def _corrected(image: Tensor, corrections: Tensor, count: int = 1) -> Tensor:
    """The image [B, 3, H, W], about [0, 1], of that of the transform and the sum of so many corrections of it."""
    return image.mul(0.25).add_(0.5).add_(corrections, alpha=CORRECTION / count)
