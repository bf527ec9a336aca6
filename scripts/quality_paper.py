"""Measure a model of the paper (`cifar10`, `librispeech`, …) on data that it was not trained on.

    python scripts/quality_paper.py --model cifar10 --data CIFAR10_FOLDER
    python scripts/quality_paper.py --model my.safetensors --data LIBRISPEECH/test-other

Of CIFAR-10 the test images are measured (`vqc/data/cifar10.py` says which), of a folder of audio every recording. Where
the model has a prior, "bits_per_code_prior" is what its integers give.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

import vqc
from vqc.data.cifar10 import read_cifar10
from vqc.data.discovery import find_media
from vqc.models.audio_vqvae import AudioVQVAE
from vqc.models.image_vqvae import ImageVQVAE
from vqc.training.paper_recipes import table_bits
from vqc.training.reconstruction import PaperModel, evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="name or file")
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    model = cast(PaperModel, vqc.load_model(arguments.model).model)
    signals = recordings(arguments.data, model) if isinstance(model, AudioVQVAE) else test_images(arguments.data)
    figures = evaluate(model, signals)
    del figures["score"]
    units = sum(x.numel() for x in signals)
    if isinstance(model, ImageVQVAE):
        rate = {"images": sum(map(len, signals)), "bpp": table_bits(model, signals) / (units / 3)}
    else:
        seconds = units / model.sample_rate
        rate = {"recordings": len(signals), "kbps": table_bits(model, signals) / seconds / 1_000}
    print(json.dumps({**rate, **figures, **code_bits(model, signals)}, indent=1))


@torch.inference_mode()
def code_bits(model: PaperModel, signals: list[Tensor]) -> dict[str, float]:
    """Bits per code with the order-0 tables, and with the integer prior if there is one."""
    batches = [model.encode(batch, 1) for batch in signals]
    codes = sum(batch.numel() for batch in batches)
    bits = {"bits_per_code_static": table_bits(model, signals) / codes}
    if model.prior is not None:
        bits["bits_per_code_prior"] = sum(float(model.prior.bits(batch, 1).sum()) for batch in batches) / codes
    return bits


def test_images(folder: Path) -> list[Tensor]:
    """The test images of CIFAR-10, a hundred a batch."""
    images = torch.from_numpy(read_cifar10(folder).test).float() / 255
    return list(images.split(100))


def recordings(folder: Path, model: AudioVQVAE) -> list[Tensor]:
    """Every recording of a folder [1, T], cut to whole codes."""
    from vqc.data.folders import read_mono

    waveforms = [torch.from_numpy(read_mono(path, model.sample_rate)) for path in find_media(folder, "audio").paths]
    return [w[None, : len(w) // model.hop_length * model.hop_length].float() / 2**15 for w in waveforms]


if __name__ == "__main__":
    main()
