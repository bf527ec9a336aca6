#!/usr/bin/env python3
"""Figures of a model as the report has them: curves of its training, and test signals beside their reconstructions.

python scripts/reproduce/figures.py cifar10 CIFAR10 FIGURES
python scripts/reproduce/figures.py librispeech LIBRISPEECH/test-other FIGURES
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import vqc
from vqc.data.benchmarks import BenchmarkItem, open_benchmark
from vqc.drawing.reconstructions import CLIPS, IMAGES, draw_reconstructions, draw_waveforms
from vqc.models.files.zoo import find_by_name
from vqc.training.history import history_of_model
from vqc.training.plots.runs import describe, draw_run

RATE = 16_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a bundled or added model")
    parser.add_argument("data", help="what `vqc eval --data` takes")
    parser.add_argument("folder", type=Path, help="where the figures go")
    options = parser.parse_args()
    info = find_by_name(options.model)
    drawn = draw_run(info.path, options.folder)
    data = open_benchmark(options.data, info.media)
    caption = f"{describe(history_of_model(info))} These are of {data.title}."
    if info.media == "image":
        pairs = [image_pair(item, options.model) for item in data.at_most(IMAGES).items]
        drawn.append(draw_reconstructions(*zip(*pairs, strict=True), options.folder / "reconstructions.png", caption))
    else:
        pairs = [clip_pair(item, options.model) for item in data.at_most(CLIPS).items]
        path = options.folder / "waveforms.png"
        drawn.append(draw_waveforms(*zip(*pairs, strict=True), path, caption, sample_rate=RATE))
    for one in drawn:
        print(one.save(overwrite=True))


def image_pair(item: BenchmarkItem, model: str) -> tuple[Tensor, Tensor]:
    """An image and its reconstruction, [3, H, W] in [0, 1]."""
    pixels = item.image()
    restored = vqc.decompress(vqc.compress(pixels, model=model)).array
    return as_tensor(pixels), as_tensor(restored)


def as_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)


def clip_pair(item: BenchmarkItem, model: str) -> tuple[Tensor, Tensor]:
    """A recording and its reconstruction, [T] in [-1, 1]."""
    samples, rate = item.audio()
    if rate != RATE:
        raise SystemExit(f"{item.name} has {rate} samples a second; the waveforms are of {RATE}")
    restored = vqc.decompress(vqc.compress(samples, sample_rate=rate, model=model)).samples
    return torch.from_numpy(samples), torch.from_numpy(restored[:, 0])


if __name__ == "__main__":
    main()
