"""Tiny codec models with priors whose random weights all have an effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from vqc.entropy.tables import frequencies_from_counts
from vqc.models.base import CodecModel
from vqc.models.photo.model import PhotoConfig, PhotoModel
from vqc.models.photo.prior import PhotoPrior, PhotoPriorConfig
from vqc.models.prior import CodePrior
from vqc.models.speech.model import SpeechConfig, SpeechModel
from vqc.models.speech.prior import SpeechPrior, SpeechPriorConfig

PHOTO = PhotoConfig(
    lambdas=(4000.0, 400.0, 100.0),
    shapes=((3, 1, 12), (4, 2, 32)),
    groups=(4, 8, 10),
    entries=((8, 20), (12, 32), (7, 32)),
    widths=(4, 4, 4),
    analysis_blocks=((4,), (4,), (4,)),
    synthesis_blocks=((4,), (4,), (4,)),
    prediction_width=4,
    default_quality=2,
)
PHOTO_PRIOR = PhotoPriorConfig(slices=((1, 2), (3, 1)), width=8, head_width=6, neighbour_width=4, dc_width=8)
STEPPED_PRIOR = replace(PHOTO_PRIOR, spatial_passes=(4, 1, 3, 2), channel_steps=(1, 2, 3, 1))
SPEECH = SpeechConfig(
    mels=6,
    width=4,
    encoder_blocks=1,
    decoder_blocks=1,
    envelope_groups=((2, 1, 12), (2, 2, 16)),
    waveform_groups=((4, 2, 16),),
    qualities=2,
    first_waveform_quality=2,
    default_quality=1,
)
SPEECH_PRIOR = SpeechPriorConfig(
    envelope_slices=((2,), (1, 1)), waveform_slices=((1, 3),), width=8, fine_width=6, head_width=6, neighbour_width=4
)
STEPPED_SPEECH_PRIOR = replace(SPEECH_PRIOR, extra_coarse_levels=(1, 2, 3), channel_steps=(2, 1, 1, 1, 3))

PRIORS = {
    "photo": lambda codec: PhotoPrior(PHOTO_PRIOR, codec),
    "photo-stepped": lambda codec: PhotoPrior(STEPPED_PRIOR, codec),
    "speech": lambda codec: SpeechPrior(SPEECH_PRIOR, codec),
    "speech-stepped": lambda codec: SpeechPrior(STEPPED_SPEECH_PRIOR, codec),
}


def draw_model(kind: str) -> CodecModel:
    """The model for a prior of `PRIORS`, with random codebooks and skewed tables."""
    torch.manual_seed(0)
    model: CodecModel = SpeechModel(SPEECH) if kind.startswith("speech") else PhotoModel(PHOTO)
    for name, buffer in model.named_buffers():
        if ".codebook_" in name:
            buffer.normal_(std=3)
    rng = np.random.default_rng(0)
    table = np.zeros(tuple(model.static_table.shape), np.int64)
    for quality, rows in enumerate(table):
        for row, size in zip(rows, model.codebook_sizes(quality + 1), strict=False):
            row[:size] = frequencies_from_counts(rng.integers(1, 1000, size) ** 2)
    model.set_static_table(table)
    return model.eval().requires_grad_(False)


def draw_prior(model: CodecModel, kind: str = "") -> CodePrior:
    """A float prior for it, always the same; one of `PRIORS` if there are several."""
    torch.manual_seed(0)
    prior = PRIORS[kind or model.kind](model)
    prior.initialise(model)
    with torch.no_grad():
        for name, parameter in prior.named_parameters():
            if "table" not in name:
                parameter.add_(0.07 * torch.randn(parameter.shape))
    return prior.eval()


def draw_codes(model: CodecModel, quality: int, grid: tuple[int, ...], items: int = 1, seed: int = 0) -> torch.Tensor:
    """int64 [B, G, *grid], low codes more often than high ones."""
    rng = np.random.default_rng(seed)
    codes = [(rng.random((items, *grid)) ** 2 * size).astype(np.int64) for size in model.codebook_sizes(quality)]
    return torch.from_numpy(np.stack(codes, 1))


def draw_perceptual(model: CodecModel) -> nn.Module:
    """A sharp decoder for it whose weights are all others than those of its own."""
    torch.manual_seed(1)
    sharp = model.make_perceptual()
    with torch.no_grad():
        for parameter in sharp.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return sharp
