"""The photo model: what its decoder gets is what its encoder meant, on images of any make."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.data.image_files import read_image
from vqc.models.files.zoo import load_model
from vqc.models.photo.median_prediction import from_residuals, to_residuals
from vqc.models.photo.model import BLOCK, DC_COUNT, PhotoConfig, PhotoModel
from vqc.nn import ecvq_fit

SAMPLE = Path(__file__).parents[3] / "examples" / "photo.jpg"
SMALL = PhotoConfig(
    lambdas=(4000.0, 400.0),
    shapes=((5, 1, 16), (4, 2, 32)),
    groups=(5, 12),
    widths=(8, 12, 16),
    analysis_blocks=((4,), (12,), (16,)),
    synthesis_blocks=((8,), (12,), (16,)),
    prediction_width=8,
    default_quality=2,
)


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared here is closer than bfloat16 comes."""
    monkeypatch.setenv("VQC_BFLOAT16", "0")


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Smooth colours with edges, [12, 3, 64, 64]: correlated between blocks as photos are."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(12, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 1)
    edges = torch.nn.functional.interpolate(torch.rand(12, 3, 9, 9, generator=generator).round(), (64, 64))
    return (0.7 * smooth + 0.3 * edges).contiguous()


@pytest.fixture(scope="module")
def model(images: Tensor) -> PhotoModel:
    """Linear transform and dictionaries fitted; the networks are given random last layers, so that they matter."""
    torch.manual_seed(0)
    model = PhotoModel(SMALL).eval()
    blocks = torch.nn.functional.pixel_unshuffle(255 * (images - 0.5), BLOCK).permute(0, 2, 3, 1)
    model.transform.fit_klt(blocks.reshape(-1, 3, BLOCK, BLOCK), means_first=True)
    with torch.no_grad():
        for layer in (model.analysis.project, model.synthesis.project, model.prediction.project):
            layer.weight.normal_(std=0.02)
        for level in range(2):
            levels = torch.tensor([level])
            latents = model.latents(images, levels)
            means = model.dc_values(model.dc_codes(latents))
            rest = latents[:, DC_COUNT:] - model.predict_ac(means, levels)
            ecvq_fit.fit(model.quantizer, rest.permute(0, 2, 3, 1).flatten(0, 2), level, iterations=3)
    return model


def test_decode_is_the_training_pass(model: PhotoModel, images: Tensor) -> None:
    """`encode` then `decode` gives what `forward` gave when all code maps are sent."""
    with torch.no_grad():
        expected = model(images[:2], torch.tensor([1, 1]))
        codes = model.encode(images[:2], 2)
        torch.testing.assert_close(model.decode(codes, 2), expected.image, rtol=0, atol=2e-5)
    assert torch.equal(codes[:, :DC_COUNT], expected.dc_codes)


def test_networks_in_bfloat16_change_next_to_nothing(
    model: PhotoModel, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their weights alone are rounded: an image is what the transform makes of its codes, and a small correction."""
    codes = model.encode(images, 2)
    whole = model.decode(codes, 2)
    monkeypatch.setenv("VQC_BFLOAT16", "1")
    rounded = model.decode(codes, 2)
    assert rounded.dtype == torch.float32
    assert 0 < 255 * (rounded - whole).abs().max() < 0.25
    assert (model.encode(images, 2) != codes).float().mean() < 0.01


def test_the_first_three_coefficients_are_all_there_is_of_flat_blocks(model: PhotoModel) -> None:
    """Any colour: three numbers, whatever the transform was fitted on, and nothing in the others."""
    colours = torch.rand(20, 3, 1, 1, generator=torch.Generator().manual_seed(1)) - 0.5
    coefficients = model.transform.analyse(colours.expand(-1, -1, BLOCK, BLOCK).contiguous())
    assert coefficients[:, DC_COUNT:].abs().max() < 1e-5
    torch.testing.assert_close(model.transform.synthesise(coefficients)[:, :, :1, :1], colours, rtol=0, atol=1e-5)


def test_rows_are_orthonormal_and_in_order_of_variance(model: PhotoModel) -> None:
    basis, scale = model.transform.basis, model.transform.scale
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), rtol=0, atol=1e-4)
    for part in (scale[:DC_COUNT], scale[DC_COUNT:]):
        assert (part.diff() <= 0).all()


def test_coefficients_of_a_turned_image_are_the_same_but_for_signs(model: PhotoModel, images: Tensor) -> None:
    signs = model.transform.rotation_signs()
    assert set(signs.tolist()) == {-1.0, 1.0}
    turned = model.transform.analyse(images.flip(2, 3))
    expected = (model.transform.analyse(images) * signs[None, :, None, None]).flip(2, 3)
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-4)


def test_both_ways_is_the_mean_of_an_image_and_the_turned_one(model: PhotoModel, images: Tensor) -> None:
    both = PhotoModel(dataclasses.replace(SMALL, both_ways=True)).eval()
    both.load_state_dict(model.state_dict())
    levels = torch.tensor([1])
    with torch.no_grad():
        codes = model.encode(images[:2], 2)
        latents = model.dequantize(codes, 2)
        signs = model.transform.rotation_signs()[None, :, None, None]
        turned = model.synthesize(signs * latents.flip(2, 3), levels).flip(2, 3)
        once = model.decode(codes, 2)
        assert (turned - once).abs().max() > 1e-3, "the networks do not see the same upside down"
        torch.testing.assert_close(both.decode(codes, 2), (once + turned) / 2, rtol=0, atol=2e-5)
        torch.testing.assert_close(both.encode(images[:2], 2), codes)
    both.attach_perceptual(both.make_perceptual())
    torch.testing.assert_close(both.with_perceptual_decoder().decode(codes, 2), once, rtol=0, atol=2e-5)
    assert not both.is_perceptual


def test_a_search_leaves_late_blocks_out(model: PhotoModel, images: Tensor) -> None:
    fine, *coarse = SMALL.synthesis_blocks
    grown = PhotoModel(dataclasses.replace(SMALL, synthesis_blocks=(fine * 2, *coarse), late_blocks=len(fine))).eval()
    grown.load_state_dict(model.state_dict(), strict=False)
    torch.nn.init.normal_(grown.synthesis.project.weight)
    model.synthesis.project.load_state_dict(grown.synthesis.project.state_dict())
    with torch.inference_mode():
        coefficients = model.coefficients(images)
        searched, kept = (
            one.decoded_error(images, coefficients, 2).linear_step(coefficients) for one in (grown, model)
        )
        assert torch.equal(searched, kept)
        latents, index = model.latents(images, model.index(2)), model.index(2)
        assert not torch.allclose(grown.synthesize(latents, index), model.synthesize(latents, index))


def test_what_codes_lack_is_the_slope_of_the_error_of_the_decoded_image(model: PhotoModel, images: Tensor) -> None:
    index, photo = model.index(2), images[:2]
    error = model.decoded_error(photo, model.coefficients(photo), 2)
    latents = model.latents(photo, index).detach()
    for rotated in (False, True):
        at = latents.clone().requires_grad_(True)
        signs = model.transform.rotation_signs()[None, :, None, None]
        image = model.synthesize((at * signs).flip(2, 3), index).flip(2, 3) if rotated else model.synthesize(at, index)
        squares = (255 * (image - photo)).square().sum() / SMALL.lambdas[1]
        (slope,) = torch.autograd.grad(squares, at)
        assert slope.abs().max() > 0.1
        torch.testing.assert_close(error.step(latents, rotated=rotated), -slope / 2, rtol=1e-3, atol=1e-3)
        lacks = 255 * model.transform.analyse(photo - image.detach()) / SMALL.lambdas[1] ** 0.5
        torch.testing.assert_close(error.linear_step(latents, rotated=rotated), lacks, rtol=1e-3, atol=1e-3)


def test_what_codes_lack_is_nearly_the_same_in_bfloat16(
    model: PhotoModel, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = model.decoded_error(images, model.coefficients(images), 2)
    latents = model.latents(images, model.index(2)).detach()
    for step in (error.linear_step, error.step):
        monkeypatch.setenv("VQC_BFLOAT16", "0")
        exact = step(latents)
        monkeypatch.setenv("VQC_BFLOAT16", "1")
        rough = step(latents)
        assert rough.dtype == torch.float32
        assert 1e-6 < (rough - exact).norm() < 0.03 * exact.norm()


def test_codes_fit_their_codebooks(model: PhotoModel, images: Tensor) -> None:
    for quality in (1, 2):
        codes = model.encode(images, quality)
        sizes = torch.tensor(model.codebook_sizes(quality))
        assert codes.shape == (12, SMALL.groups[quality - 1], 4, 4)
        assert (codes >= 0).all()
        assert (codes.amax((0, 2, 3)) < sizes).all()


def test_higher_quality_is_closer(model: PhotoModel, images: Tensor) -> None:
    with torch.no_grad():
        model.synthesis.project.weight.mul_(0)
        errors = [float((model.decode(model.encode(images, q), q) - images).square().mean()) for q in (1, 2)]
    assert errors[1] < 0.7 * errors[0]


def test_transform_is_orthonormal_and_orders_by_variance(model: PhotoModel, images: Tensor) -> None:
    basis = model.transform.basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), rtol=0, atol=1e-5)
    assert (model.transform.scale.diff() <= 0).all()
    coefficients = model.transform.analyse(images)
    kept = model.transform.synthesise(coefficients)
    torch.testing.assert_close(model.transform.analyse(kept), coefficients, rtol=0, atol=1e-4)


def test_commitment_pulls_latents_and_prediction(model: PhotoModel, images: Tensor) -> None:
    """The commitment term reaches both sides of what is quantized; the codebooks get no gradient."""
    model.zero_grad()
    model(images[:2], torch.tensor([0, 1])).commitment.sum().backward()
    assert model.analysis.project.weight.grad is not None
    assert model.prediction.project.weight.grad is not None
    assert model.prediction.project.weight.grad.abs().max() > 0
    assert model.synthesis.project.weight.grad is None


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 9), (3, 7, 1), (3, 6, 11), (1, 20, 3)])
def test_residuals_are_reversible(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).integers(0, 256, shape)
    residuals = to_residuals(maps, 256)
    assert residuals.min() >= 0
    assert residuals.max() <= 255
    assert np.array_equal(from_residuals(residuals, 256), maps)


def test_residuals_follow_the_median_edge_detector() -> None:
    """Against a scalar transcription of LOCO-I."""
    maps = np.random.default_rng(1).integers(100, 156, (1, 8, 9))
    residuals = to_residuals(maps, 256)
    for row in range(1, 8):
        for column in range(1, 9):
            w, n, nw = (int(maps[0, row - i, column - j]) for i, j in ((0, 1), (1, 0), (1, 1)))
            prediction = min(w, n) if nw >= max(w, n) else max(w, n) if nw <= min(w, n) else w + n - nw
            assert residuals[0, row, column] == (maps[0, row, column] - prediction + 128) % 256


def test_symbols_are_cheaper_than_codes_on_smooth_images(model: PhotoModel, images: Tensor) -> None:
    """What the residuals are for; and the other code maps stay as they are."""
    codes = model.encode(images[:1], 2)[0].numpy()
    symbols = model.to_symbols(codes)
    assert np.array_equal(symbols[DC_COUNT:], codes[DC_COUNT:])
    assert np.array_equal(model.from_symbols(symbols), codes)


def test_halo_covers_what_the_networks_see() -> None:
    """The bundled model: a window with its halo gives the codes and pixels of the whole image."""
    model = load_model("photo").model
    assert isinstance(model, PhotoModel)
    picture = read_image(SAMPLE).pixels[:192, :320].astype(np.float32) / 255
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    core, halo = 192, model.halo
    with torch.inference_mode():
        codes = model.encode(image, 8)
        window = model.encode(image[..., : core + halo], 8)[..., : core // BLOCK]
        assert (window != codes[..., : core // BLOCK]).float().mean() < 2e-3
        whole = model.decode(codes, 8)[..., :core]
        part = model.decode(codes[..., : (core + halo) // BLOCK], 8)[..., :core]
    assert 255 * (whole - part).abs().max() < 1
