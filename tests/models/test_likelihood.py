"""Likelihoods of originals: what they sum to, what they depend on, and how they travel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.likelihood import Likelihood, LikelihoodConfig, from_blocks, to_blocks
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig

TINY = ImageVQVAEConfig(widths=(2, 3), residual_width=2, residual_layers=1, codebook_size=8, codebook_dim=2)


def likelihood(layers: int, media: str = "image", qualities: int = 2) -> Likelihood:
    torch.manual_seed(0)
    made = Likelihood(LikelihoodConfig(mixtures=3, width=8, layers=layers), media, qualities)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("layers", [0, 1])
def test_bits_of_items_are_sums_of_their_own_values(layers: int) -> None:
    model = likelihood(layers)
    original, restored = images(3, 3, 8, 6), images(3, 3, 8, 6, seed=2)
    bits = model.bits(original, restored, 2)
    assert bits.shape == (3,)
    assert bits.dtype == torch.float64
    alone = torch.cat([model.bits(x[None], y[None], 2) for x, y in zip(original, restored, strict=True)])
    torch.testing.assert_close(bits, alone, rtol=1e-5, atol=0)
    torch.testing.assert_close(bits, model.nats(original, restored, 2) / math.log(2))


def test_pixels_are_independent_given_what_was_restored() -> None:
    model = likelihood(1)
    original, restored = images(1, 3, 8, 8), images(1, 3, 8, 8, seed=2)
    changed, both = original.clone(), original.clone()
    changed[..., 0, 0], both[..., 0, 0], both[..., 5, 5] = 7.0, 7.0, 9.0
    other = original.clone()
    other[..., 5, 5] = 9.0
    one, two, three, none = (model.bits(x, restored, 1) for x in (changed, other, both, original))
    torch.testing.assert_close(three - none, (one - none) + (two - none), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(7, 8), (8, 5), (3, 3)])
def test_odd_sides(height: int, width: int) -> None:
    bits = likelihood(1).bits(images(2, 3, height, width), images(2, 3, height, width, seed=2), 1)
    assert bits.shape == (2,)
    assert bool(bits.isfinite().all())


def test_qualities_have_mixtures_of_their_own() -> None:
    model, x = likelihood(0), images(1, 3, 4, 4)
    assert model.bits(x, x, 1) != model.bits(x, x, 2)


def test_waveforms_are_of_16_bits() -> None:
    model = likelihood(1, "audio")
    x = torch.randint(65536, (2, 1, 50)).float()
    assert model.bits(x, x, 1).shape == (2,)


@pytest.mark.parametrize("layers", [0, 1])
def test_a_likelihood_travels_with_its_model_and_is_no_part_of_its_digest(layers: int, tmp_path: Path) -> None:
    model = ImageVQVAE(TINY)
    without = save(tmp_path / "without.safetensors", model)
    model.likelihood = likelihood(layers, qualities=1)
    assert save(tmp_path / "with.safetensors", model, parts={"likelihood": {"training": {"steps": 5}}}) == without
    loaded, info = load_checkpoint(tmp_path / "with.safetensors")
    assert loaded.likelihood is not None
    assert info.likelihood is not None
    assert info.likelihood["training"] == {"steps": 5}
    x, y = images(1, 3, 8, 8), images(1, 3, 8, 8, seed=2)
    found, own = loaded.likelihood.bits(x, y, 1), model.likelihood.bits(x, y, 1)
    torch.testing.assert_close(found, own, rtol=1e-3, atol=0)  # kept with half precision
    assert load_checkpoint(tmp_path / "without.safetensors").model.likelihood is None


def save(path: Path, model: ImageVQVAE, **more: Any) -> str:
    return save_checkpoint(path, model, name="m", training={}, figures={}, weights="float16", **more)


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 1, 12)])
def test_blocks_come_back(shape: tuple[int, ...]) -> None:
    signal = torch.rand(shape)
    blocks = to_blocks(signal, 4)
    assert blocks.shape[2:] == torch.Size(side // 4 for side in shape[2:])
    assert torch.equal(from_blocks(blocks, 4), signal)
    if len(shape) == 3:
        assert torch.equal(blocks[0, :, 1], signal[0, 0, 4:8])


@pytest.mark.parametrize("wrong", [{"mixtures": 0}, {"width": 0}, {"layers": -1}, {"block": 0}])
def test_configs_that_make_no_sense(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        LikelihoodConfig(**wrong)
