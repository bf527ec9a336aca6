"""Every colour that pixels can make comes back as itself from the models that come with the package."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.models.base import ImageModel
from vqc.models.files.zoo import load_model
from vqc.models.photo.model import BLOCK, PhotoModel

LEVELS = np.linspace(0, 255, 17).round()
CUBE = np.array(list(itertools.product(LEVELS, repeat=3)), dtype=np.float32)  # [4913, 3]


SIDE = 8 * BLOCK  # of flat pictures: at the border, where the networks see nothing beyond, errors are larger


@pytest.fixture(scope="module")
def photo() -> PhotoModel:
    model = load_model("photo").model
    assert isinstance(model, PhotoModel)
    return model


@torch.inference_mode()
def restored(model: ImageModel, image: Tensor, quality: int) -> Tensor:
    """Image [1, 3, H, W] in levels of 0 to 255, encoded as files are and decoded, in the same."""
    codes = model.encode_as_files_do(image / 255, quality)
    return (255 * model.decode(codes, quality)).clamp(0, 255).round()


def in_patches(colours: NDArray[np.float32], side: int) -> Tensor:
    """Colours [n², 3] at random places of a board of squares [1, 3, n · side, n · side]."""
    board = round(len(colours) ** 0.5)
    shuffled = np.random.default_rng(0).permutation(colours).reshape(board, board, 3)
    return torch.from_numpy(np.kron(shuffled, np.ones((side, side, 1), np.float32))).permute(2, 0, 1)[None]


def mean_error(model: ImageModel, image: Tensor, quality: int) -> float:
    return float((restored(model, image, quality) - image).abs().mean())


@pytest.mark.parametrize(("quality", "most"), [(1, 8.0), (8, 2.0)])
def test_flat_colours_of_the_whole_cube(photo: PhotoModel, quality: int, most: float) -> None:
    """Corners and a part of the lattice (`scripts/colours` takes all of it). (0, 255, 0) was 46 levels off once."""
    corners = np.array(list(itertools.product([0, 255], repeat=3)), dtype=np.float32)
    colours = np.concatenate([corners, CUBE[7::1400]])
    images = torch.from_numpy(colours)[:, :, None, None].repeat(1, 1, SIDE, SIDE)
    errors = (restored(photo, images, quality) - images).abs().mean((1, 2, 3)).tolist()
    for colour, error in zip(colours, errors, strict=True):
        assert error <= most, f"{colour} is {error:.1f} levels off"


@pytest.mark.parametrize(("quality", "most"), [(1, 24.0), (8, 7.0)])
def test_patches_of_all_colours_of_the_cube(photo: PhotoModel, quality: int, most: float) -> None:
    """Every twentieth colour between random others: all of it is edges, and the means of blocks hold nearly all."""
    image = in_patches(CUBE[::20][: 15**2], BLOCK)
    back = restored(photo, image, quality)
    assert float((back - image).abs().mean()) <= most
    means = torch.nn.functional.avg_pool2d(back - image, BLOCK).abs()
    assert float(means.mean()) <= most / 2


@pytest.mark.parametrize(("quality", "most"), [(1, 8.0), (8, 4.0)])
def test_sharp_edges_between_saturated_colours(photo: PhotoModel, quality: int, most: float) -> None:
    image = torch.zeros(1, 3, 192, 192)
    image[:, 1] = 255
    image[:, 0, :, 100:], image[:, 1, :, 100:] = 255, 0
    image[:, 2, 37:90] = 255
    assert mean_error(photo, image, quality) <= most


def test_saturated_pixels_at_random_keep_their_mean(photo: PhotoModel) -> None:
    """No block transform of few coefficients holds such noise; its mean colour it must."""
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (1, 3, 128, 128)).astype(np.float32)) * 255
    for quality in (1, 8):
        back = restored(photo, image, quality)
        assert (back.mean((2, 3)) - image.mean((2, 3))).abs().max() <= 12
