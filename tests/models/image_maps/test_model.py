"""The image model of several code maps: shapes, what its codes mean, and how it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.image_maps.model import ImageMaps, ImageMapsConfig
from vqc.models.kinds import KINDS, build_prior
from vqc.training.image_maps.recipe import fit_linear

CONFIG = ImageMapsConfig(
    shapes=((2, 1, 16), (2, 2, 16)), width=8, analysis_layers=1, synthesis_layers=1, fine_width=4, fine_layers=1
)


def pictures(count: int, *, seed: int = 0) -> Tensor:
    corners = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(corners, (16, 24), mode="bilinear")


@pytest.fixture(scope="module")
def model() -> ImageMaps:
    torch.manual_seed(0)
    made = ImageMaps(CONFIG).eval()
    fit_linear(made, [pictures(8)])
    return made


def test_codes_have_a_map_for_each_group(model: ImageMaps) -> None:
    codes = model.encode(pictures(2), 1)
    assert codes.shape == (2, 4, 4, 6)
    assert model.codebook_sizes(1) == (16, 16, 16, 16)
    assert int(codes.max()) < 16
    assert model.decode(codes, 1).shape == (2, 3, 16, 24)
    assert model.describe_groups(1) == (("maps 1-2 (1 dim)", 2), ("maps 3-4 (2 dims)", 2))
    assert [tuple(entries.shape) for entries in model.codebooks(1)] == [(16, 1), (16, 1), (16, 2), (16, 2)]


def test_it_begins_as_a_linear_codec_that_is_better_than_the_mean(model: ImageMaps) -> None:
    images = pictures(6, seed=5)
    with torch.inference_mode():
        restored = model.decode(model.encode(images, 1), 1)
    assert float((restored - images).square().mean()) < 0.3 * float(images.var())


def test_codes_and_pixels_depend_on_no_more_than_the_halo(model: ImageMaps) -> None:
    torch.manual_seed(1)
    shaken = ImageMaps(CONFIG).eval()
    shaken.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in shaken.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    wide = torch.rand(1, 3, 16, 24 + 2 * shaken.halo)
    changed = wide.clone()
    changed[..., :8] = 0
    first, second = (shaken.encode(x, 1) for x in (wide, changed))
    untouched = (8 + shaken.halo) // 4
    assert torch.equal(first[..., untouched:], second[..., untouched:])
    codes = first.clone()
    codes[..., :2] = 0
    pixels = 8 + shaken.halo
    torch.testing.assert_close(shaken.decode(first, 1)[..., pixels:], shaken.decode(codes, 1)[..., pixels:])


def test_training_moves_networks_and_codebooks(model: ImageMaps) -> None:
    trained = ImageMaps(CONFIG)
    trained.load_state_dict(model.state_dict())
    before = trained.codebooks(1)[0].clone()
    result = trained.train()(pictures(4, seed=2))
    (result.image.square().mean() + result.commitment).backward()
    assert not torch.equal(trained.codebooks(1)[0], before)
    assert trained.analysis.project.weight.grad is not None
    assert trained.synthesis.project.weight.grad is not None
    assert float(result.bits) > 0


def test_a_saved_model_comes_back_with_its_prior(model: ImageMaps, tmp_path: Path) -> None:
    saved = ImageMaps(CONFIG)
    saved.load_state_dict(model.state_dict())
    small = {"width": 8, "layers": 2, "head_width": 8, "code_dim": 6}
    prior = build_prior(KINDS["image-maps"].prior.name, small, saved)
    prior.initialise(saved)
    saved.attach_prior(prior)
    save_checkpoint(tmp_path / "m.safetensors", saved, name="m", training={}, figures={})
    loaded = load_checkpoint(tmp_path / "m.safetensors").model
    codes = saved.eval().encode(pictures(1), 1)
    assert torch.equal(loaded.encode(pictures(1), 1), codes)
    assert loaded.prior is not None
    assert saved.prior is not None
    assert torch.equal(loaded.prior.bits(codes, 1), saved.prior.bits(codes, 1))


@pytest.mark.parametrize(
    "wrong",
    [{"block": 3}, {"squared_error": 0.0}, {"shapes": ()}, {"shapes": ((49, 1, 16),)}, {"shapes": ((1, 1, 1),)}],
)
def test_configs_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImageMapsConfig(**wrong)  # type: ignore[arg-type]
