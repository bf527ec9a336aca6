"""Trains the judge of drawn images: `python scripts/reproduce/classifier.py CIFAR10 FILE [EPOCHS]`.

A small residual network on the training rows of CIFAR-10, mirrored and shifted by up to four pixels. Rows for
validation decide nothing here; what it gets right on the rows for testing goes into the file and into tables.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vqc.data.cifar10 import CLASSES, read_cifar10, read_labels
from vqc.devices import autocast, uses_bfloat16
from vqc.evaluation.drawn.classifier import Classifier, Judge, save_judge

BATCH, SHIFT = 128, 4


def main() -> None:
    folder, file = Path(sys.argv[1]), Path(sys.argv[2])
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    data, names = read_cifar10(folder), read_labels(folder)
    images = torch.from_numpy(np.concatenate([data.train, data.train_compressed]))  # uint8 [N, 3, 32, 32]
    labels = torch.tensor([CLASSES.index(name) for name in [*names.train, *names.train_compressed]])
    torch.manual_seed(0)
    network = train(Classifier(len(CLASSES)), images, labels, epochs)
    judge = Judge(network.eval(), CLASSES, 0.0)
    said = judge(np.ascontiguousarray(data.test.transpose(0, 2, 3, 1))).classes
    accuracy = float(np.mean(said == [CLASSES.index(name) for name in names.test]))
    save_judge(file, judge._replace(accuracy=accuracy))
    print(f"{100 * accuracy:.1f} % of the {len(said):,} images for testing; wrote {file}")


def train(network: Classifier, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> Classifier:
    """AdamW, the learning rate up in a line and down by a cosine."""
    device = torch.device("cpu")
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, step / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for epoch in range(epochs):
        order, right = torch.randperm(len(images)), 0
        for rows in order[: len(images) // BATCH * BATCH].split(BATCH):
            batch = varied(images[rows]).contiguous(memory_format=torch.channels_last)
            with autocast(device, uses_bfloat16("auto", device)):
                logits = network(batch).float()
            loss = F.cross_entropy(logits, labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == labels[rows]).sum())
        print(f"epoch {epoch + 1} of {epochs}: {100 * right / len(images):.1f} % of the training images", flush=True)
    return network


def varied(images: torch.Tensor) -> torch.Tensor:
    """A batch in [0, 1], each image maybe mirrored, and shifted, with its edge repeated."""
    around = F.pad(images.float() / 255, [SHIFT] * 4, mode="replicate")
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, len(images)))
    rows, columns = (start[:, None] + torch.arange(32) for start in (top, left))  # [N, 32] each
    mirrored = torch.rand(len(images)) < 0.5
    columns[mirrored] = columns[mirrored].flip(1)
    return around[torch.arange(len(images))[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(-1, 1)


if __name__ == "__main__":
    main()
