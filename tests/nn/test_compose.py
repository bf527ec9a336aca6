"""Residual and product quantizers are what their equations say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vqc.nn.compose import ProductQuantizer, ResidualQuantizer
from vqc.nn.quantize import VectorQuantizer


def latents(channels: int) -> Tensor:
    return torch.randn(2, channels, 6, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def residual() -> ResidualQuantizer:
    torch.manual_seed(0)
    return ResidualQuantizer(VectorQuantizer(k, 4) for k in (8, 5, 6)).eval()


@pytest.fixture
def product() -> ProductQuantizer:
    torch.manual_seed(0)
    return ProductQuantizer([VectorQuantizer(8, 1), VectorQuantizer(5, 3)]).eval()


def test_each_stage_quantizes_what_is_left(residual: ResidualQuantizer) -> None:
    z = latents(4)
    left = z
    codes = residual.encode(z)
    for g, stage in enumerate(residual.stages):
        assert torch.equal(codes[:, g], stage.encode(left))
        left = left - stage.decode(codes[:, g])
    torch.testing.assert_close(residual.decode(codes), z - left)
    out = residual(z)
    assert torch.equal(out.codes, codes)
    torch.testing.assert_close(out.quantized, z - left)


def test_fewer_stages_are_a_prefix_of_the_codes(residual: ResidualQuantizer) -> None:
    z = latents(4)
    assert torch.equal(residual.encode(z, 2), residual.encode(z)[:, :2])
    torch.testing.assert_close(residual(z, 2).quantized, residual.decode(residual.encode(z)[:, :2]))


def test_residual_loss_is_the_sum_over_stages(residual: ResidualQuantizer) -> None:
    z = latents(4)
    codes, expected = residual.encode(z), 0.0
    for g in range(3):
        expected += 0.25 * float((z - residual.decode(codes[:, : g + 1])).square().mean())
    assert float(residual(z).loss) == pytest.approx(expected, rel=1e-5)


def test_groups_quantize_their_own_channels(product: ProductQuantizer) -> None:
    z = latents(4)
    codes = product.encode(z)
    assert torch.equal(codes[:, 0], product.groups[0].encode(z[:, :1]))
    assert torch.equal(codes[:, 1], product.groups[1].encode(z[:, 1:]))
    out = product(z)
    assert torch.equal(out.codes, codes)
    torch.testing.assert_close(out.quantized, product.decode(codes))
    assert float(out.loss) == pytest.approx(0.25 * float((z - product.decode(codes)).square().mean()), rel=1e-5)


@pytest.mark.parametrize("kind", ["residual", "product"])
def test_straight_through_gradient_is_the_identity(kind: str, request: pytest.FixtureRequest) -> None:
    z = latents(4).requires_grad_()
    weight = torch.randn(z.shape)
    (request.getfixturevalue(kind).train()(z).quantized * weight).sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad, weight)


@pytest.mark.parametrize("kind", ["residual", "product"])
def test_initialisation_lowers_the_distortion(kind: str, request: pytest.FixtureRequest) -> None:
    quantizer = request.getfixturevalue(kind)
    points = torch.randn(400, 4, generator=torch.Generator().manual_seed(1))
    z = points.T[None]
    before = float((quantizer.decode(quantizer.encode(z)) - z).square().mean())
    quantizer.initialise(points)
    assert float((quantizer.decode(quantizer.encode(z)) - z).square().mean()) < 0.8 * before
