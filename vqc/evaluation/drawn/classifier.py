"""A small residual network that tells the classes of 32×32 images: the judge of drawn images.

It knows nothing of codecs. `scripts/reproduce/classifier.py` trains one on the training rows of CIFAR-10 and writes it
with its classes and what it gets right on rows that nobody trained on.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.atomic import write_atomically
from vqc.errors import OptionError

WIDTHS = (16, 32, 64)
_BATCH = 250


class Block(nn.Module):
    """Two 3×3 convolutions beside the identity, or beside a 1×1 convolution where the width or the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(2))
        plain = inputs == outputs and stride == 1
        self.beside = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs, h, w] to [N, outputs, h / stride, w / stride]."""
        hidden = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(hidden)) + self.beside(x))


class Classifier(nn.Module):
    """Logits [N, classes] of images float32 [N, 3, 32, 32] in [0, 1]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, padding=1)
        pairs = zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False)
        self.blocks = nn.Sequential(*(Block(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(pairs)))
        self.head = nn.Linear(WIDTHS[-1], classes)

    def features(self, images: Tensor) -> Tensor:
        """What the decision is made of, [N, 64]."""
        hidden: Tensor = self.blocks(F.relu(self.stem(images * 4 - 2)))
        return hidden.mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits


class Judged(NamedTuple):
    """What a classifier says of images."""

    features: NDArray[np.float64]  # [N, 64]
    classes: NDArray[np.int64]  # [N], the likeliest


class Judge(NamedTuple):
    """A trained classifier, the names of its classes, and its share of right answers on images it never saw."""

    network: Classifier
    classes: tuple[str, ...]
    accuracy: float

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.uint8]) -> Judged:
        """Look at images uint8 [N, 32, 32, 3]."""
        pieces = torch.split(torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255), _BATCH)
        features = torch.cat([self.network.features(piece) for piece in pieces])  # [N, 64]
        return Judged(features.double().numpy(), self.network.head(features).argmax(1).numpy())


def save_judge(path: Path, judge: Judge) -> None:
    """Write a classifier as NumPy arrays (.npz), whole or not at all; one that is there is replaced."""
    data = io.BytesIO()
    arrays = {f"network.{name}": tensor.numpy() for name, tensor in judge.network.state_dict().items()}
    np.savez(data, classes=np.array(judge.classes), accuracy=np.array(judge.accuracy), **arrays)
    write_atomically(path, data.getvalue(), overwrite=True)


def load_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote; OptionError for anything else."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            classes, accuracy = tuple(file["classes"].tolist()), float(file["accuracy"])
            network = Classifier(len(classes))
            own = {name: torch.from_numpy(file[f"network.{name}"]) for name in network.state_dict()}
            network.load_state_dict(own)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError):
        raise OptionError(f"{path} is no classifier; scripts/reproduce/classifier.py CIFAR10 FILE trains one") from None
    return Judge(network.eval(), classes, accuracy)
