"""Export and measurement shared by the recipes of the paper models (cifar10, librispeech)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from vqc.entropy.tables import ideal_bits
from vqc.models.audio_vqvae import AudioVQVAE
from vqc.models.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.image_vqvae import ImageVQVAE
from vqc.training.reconstruction import evaluate
from vqc.training.tables import fill_static_tables

PaperModel = ImageVQVAE | AudioVQVAE


def export(
    model: PaperModel,
    name: str,
    training: Mapping[str, Any],
    path: Path,
    *,
    training_batches: Sequence[Tensor],
    validation_batches: Sequence[Tensor],
) -> None:
    """Write a model file: static tables from training signals, figures from validation signals.

    Codes are those of the stored, rounded weights: a draft is written and read before anything is counted.
    """
    draft = path.with_suffix(".draft.safetensors")
    save_checkpoint(draft, model.eval(), name=name, training=training, figures={}, weights="float16")
    stored = cast(PaperModel, load_checkpoint(draft).model)
    draft.unlink()
    fill_static_tables(stored, training_batches)
    figures = {"quality_1": measure(stored, validation_batches)}
    save_checkpoint(path, stored, name=name, training=training, figures=figures, weights="float16")
    print(json.dumps({"training": training, "figures": figures}, indent=1))


@torch.inference_mode()
def measure(model: PaperModel, batches: Sequence[Tensor]) -> dict[str, float]:
    """MSE, PSNR on [0, 1] or SNR, perplexity, and the rate by the static tables in bits per pixel or kbps."""
    figures = evaluate(model, batches)
    codes = torch.cat([model.encode(b, 1).flatten() for b in batches]).numpy()[None]
    bits = ideal_bits(codes, model.static_frequencies(1))
    mse = figures["mse"]
    if isinstance(model, ImageVQVAE):
        quality = {"psnr_db": -10 * math.log10(mse)}
        rate = {"bpp": bits / sum(b[:, 0].numel() for b in batches)}
    else:
        samples = sum(b.numel() for b in batches)
        quality = {"snr_db": 10 * math.log10(sum(float(b.square().sum()) for b in batches) / samples / mse)}
        rate = {"kbps": bits / samples * model.sample_rate / 1_000}
    return {**rate, "mse": mse, **quality, "perplexity": figures["perplexity"]}
