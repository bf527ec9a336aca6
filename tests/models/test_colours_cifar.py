"""Colours that pixels can make come back from the models of CIFAR-10, flat and beside each other.

`cifar10` has 512 entries for all that is in sixteen pixels, and its training images hold few of these colours: what is
asked of it is only that it gets no worse.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.models.base import ImageModel
from vqc.models.files.zoo import load_model

SIDE = 16
LEVELS = np.linspace(0, 255, 9).round()
CUBE = np.array(list(itertools.product(LEVELS, repeat=3)), dtype=np.float32)  # [729, 3]
CORNERS = np.array(list(itertools.product([0, 255], repeat=3)), dtype=np.float32)  # [8, 3]


@torch.inference_mode()
def errors(name: str, images: Tensor) -> Tensor:
    """Mean error [B], in levels, of images [B, 3, H, W] in levels that were encoded and decoded."""
    model = load_model(name).model
    assert isinstance(model, ImageModel)
    decoded = 255 * model.decode(model.encode(images / 255, 1), 1)
    return (decoded.clamp(0, 255).round() - images).abs().mean((1, 2, 3))


@pytest.mark.parametrize(("name", "mean", "worst"), [("cifar10", 21.0, 77.0), ("cifar10-maps", 2.0, 4.0)])
def test_flat_colours_of_the_whole_cube(name: str, mean: float, worst: float) -> None:
    """Until codebooks of `cifar10-maps` reached them, its mean was 3.2 and its worst 36."""
    images = torch.from_numpy(CUBE)[:, :, None, None].expand(-1, -1, SIDE, SIDE)
    found = errors(name, images)
    assert float(found.mean()) <= mean
    assert float(found.max()) <= worst, f"{CUBE[int(found.argmax())]}"


@pytest.mark.parametrize(("name", "mean"), [("cifar10", 48.0), ("cifar10-maps", 9.0)])
def test_corners_of_the_cube_side_by_side(name: str, mean: float) -> None:
    """Squares of eight pixels, every corner beside every other; `cifar10-maps` was 25 levels off."""
    pairs = torch.from_numpy(np.array(list(itertools.permutations(CORNERS, 2))))  # [56, 2, 3]
    squares = pairs[:, [0, 1, 1, 0]].view(-1, 2, 2, 3).permute(0, 3, 1, 2)
    found = errors(name, squares.repeat_interleave(8, 2).repeat_interleave(8, 3))
    assert float(found.mean()) <= mean
