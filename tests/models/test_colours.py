"""Every colour that pixels can make comes back as itself from the models that come with the package."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.models.base import ImageModel
from vqc.models.library import load_model
from vqc.models.photo import BLOCK, MEANS, PhotoModel

LEVELS = np.linspace(0, 255, 17).round()
CUBE = np.array(list(itertools.product(LEVELS, repeat=3)), dtype=np.float32)  # [4913, 3]


@pytest.fixture(scope="module")
def photo() -> PhotoModel:
    model = load_model("photo").model
    assert isinstance(model, PhotoModel)
    return model


@torch.inference_mode()
def restored(model: ImageModel, images: Tensor, quality: int) -> Tensor:
    """Images [B, 3, H, W] in levels of 0 to 255, encoded without effort and decoded, in the same."""
    parts = [model.decode(model.encode(part / 255, quality), quality) for part in images.split(1024)]
    return (255 * torch.cat(parts)).clamp(0, 255).round()


def flat(colours: np.ndarray, side: int) -> Tensor:
    """Colours [N, 3] as images of one colour [N, 3, side, side]."""
    return torch.from_numpy(colours)[:, :, None, None].repeat(1, 1, side, side)


def in_patches(colours: np.ndarray, side: int) -> Tensor:
    """Colours [n², 3] at random places of a board of squares [1, 3, n · side, n · side]."""
    board = round(len(colours) ** 0.5)
    shuffled = np.random.default_rng(0).permutation(colours).reshape(board, board, 3)
    return torch.from_numpy(np.kron(shuffled, np.ones((side, side, 1), np.float32))).permute(2, 0, 1)[None]


@pytest.mark.parametrize(("quality", "most"), [(1, 8.0), (8, 2.0)])
def test_flat_colours_of_the_whole_cube(photo: PhotoModel, quality: int, most: float) -> None:
    """Mean error in levels. Until the second plane of means was one of colour, (0, 255, 0) came back 46 off."""
    images = flat(CUBE, BLOCK)
    errors = (restored(photo, images, quality) - images).abs().mean((1, 2, 3))
    worst = int(errors.argmax())
    assert errors[worst] <= most, f"{CUBE[worst]} is {errors[worst]:.1f} levels off"
