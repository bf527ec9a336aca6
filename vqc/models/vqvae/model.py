"""Base of the paper's image and audio models (arXiv 1711.00937): their config, codebook and passes.

::

    signal ── latents ──► [B, D, ...] ── quantizer ──► codes ── quantizer ──► [B, D, ...] ── reconstruct ──► signal
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Self

from torch import Tensor

from vqc.models.base import CodecModel
from vqc.models.config import Config, limited
from vqc.nn.dynamic import DynamicVectorQuantizer
from vqc.nn.quantize import Quantized, VectorQuantizer
from vqc.nn.residual import Dimensions, Sizes, StridedDecoder, StridedEncoder, reach


@dataclass(frozen=True, kw_only=True)
class VQVAEConfig(Config):
    """Everything that determines the network.

    With ``codebook_update="dynamic"`` the codebook starts with `codebook_size` entries and grows and shrinks in
    training; a saved model has the entries it ended with, and says "ema".
    """

    widths: tuple[int, ...]  # channels after each strided convolution
    strides: tuple[int, ...]  # their kernels are twice as wide
    residual_layers: int = limited(2, 0, 64)
    residual_width: int = limited(32, 1, 4096)
    codebook_size: int = limited(512, 2, 65_536)
    codebook_dim: int = limited(64, 1, 4096)
    commitment_weight: float = limited(0.25, 0, 1000)
    codebook_update: Literal["ema", "loss", "dynamic"] = "ema"
    codebook_decay: float = limited(0.99, 0, 1)
    max_codebook_size: int = limited(0, 0, 65_536, written_when_set=True)  # of a dynamic codebook
    revive_below: float = limited(0.05, 0, 1, written_when_set=True)  # of the average use: an entry is dead

    largest_step: ClassVar[int]  # samples of a side, or of time, to a code: what a signal is padded to

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(self.strides) or not self.strides:
            raise ValueError(f"there are {len(self.widths)} widths for {len(self.strides)} strides")
        if any(s < 2 or s % 2 for s in self.strides):
            raise ValueError(
                f"strides are {self.strides}; each must be even, so that its kernel of twice its size is centred"
            )
        if math.prod(self.strides) > self.largest_step:
            raise ValueError(f"strides are {self.strides}; their product must be at most {self.largest_step:,}")
        if self.codebook_update != "dynamic" and self.max_codebook_size:
            raise ValueError("max_codebook_size is for codebook_update='dynamic'; other codebooks keep their size")
        if self.codebook_update == "dynamic" and not 2 <= self.codebook_size <= self.max_codebook_size:
            raise ValueError(
                f"a dynamic codebook needs 2 <= codebook_size <= max_codebook_size, they are {self.codebook_size} "
                f"and {self.max_codebook_size}"
            )


class Reconstruction(NamedTuple):
    """A training pass."""

    signal: Tensor  # the shape of the input
    latents: Quantized


class VQVAE(CodecModel):
    """Strided encoder, vector quantizer, mirrored decoder; subclasses say what a signal is."""

    dimensions: ClassVar[Dimensions]
    channels: ClassVar[int]

    int8_tensors: ClassVar[tuple[str, ...]] = ("encoder.",)
    config: VQVAEConfig

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        self.config = config
        residual = (config.residual_layers, config.residual_width)
        sizes = Sizes(self.dimensions, self.channels, config.widths, config.strides, residual, config.codebook_dim)
        self.encoder = StridedEncoder(sizes)
        self.quantizer = build_quantizer(config)
        self.decoder = StridedDecoder(sizes)
        self.register_static_table()

    @property
    def reach(self) -> int:
        """Receptive field of a code and of a restored sample: samples to each side."""
        return reach(self.config.strides, self.config.residual_layers)

    def latents(self, signal: Tensor) -> Tensor:
        """Encoder output [B, D, ...]."""
        raise NotImplementedError

    def reconstruct(self, quantized: Tensor) -> Tensor:
        """A signal from latents [B, D, ...], quantized or not."""
        raise NotImplementedError

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (self.config.max_codebook_size or self.config.codebook_size,)

    def codebooks(self, quality: int) -> list[Tensor]:
        return [self.quantizer.codebook]

    def encode(self, signal: Tensor, quality: int) -> Tensor:
        return self.quantizer.encode(self.latents(signal)).unsqueeze(1)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        return self.reconstruct(self.quantizer.decode(codes[:, 0]))

    def forward(self, signal: Tensor) -> Reconstruction:
        """A signal through encoder, quantizer and decoder."""
        quantized = self.quantizer(self.latents(signal))
        return Reconstruction(self.reconstruct(quantized.quantized), quantized)

    def for_export(self) -> Self:
        if not isinstance(self.quantizer, DynamicVectorQuantizer):
            return self
        quantizer = self.quantizer.fixed()
        final = dataclasses.replace(
            self.config, codebook_size=quantizer.codebook_size, codebook_update="ema", max_codebook_size=0
        )
        model = type(self)(final)
        for name, part in self.named_children():
            setattr(model, name, quantizer if name == "quantizer" else part)
        return model.to(quantizer.codebook.device).train(self.training)


def build_quantizer(config: VQVAEConfig) -> VectorQuantizer:
    """The codebook that a config asks for."""
    size, dim = config.codebook_size, config.codebook_dim
    rest = {
        "commitment_weight": config.commitment_weight,
        "decay": config.codebook_decay,
        "revive_below": config.revive_below,
    }
    if config.codebook_update == "dynamic":
        return DynamicVectorQuantizer(size, dim, config.max_codebook_size, **rest)
    return VectorQuantizer(size, dim, update=config.codebook_update, **rest)
