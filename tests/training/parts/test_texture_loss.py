"""Texture is how much detail there is and where, to within a few pixels; not what it is pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.training.parts.texture_loss import TextureLoss


def grain(seed: int, strength: float = 0.1, side: int = 96) -> Tensor:
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return 0.5 + strength * noise


def test_other_grain_is_liker_than_none() -> None:
    loss, original = TextureLoss(), grain(0)
    other, smooth = grain(1), torch.full_like(original, 0.5)
    assert float(loss(other, original)) < 0.3 * float(loss(smooth, original))
    assert float((other - original).square().mean()) > 1.5 * float((smooth - original).square().mean())


def test_an_image_is_like_itself_and_brightness_is_no_texture() -> None:
    loss, original = TextureLoss(), grain(0)
    assert float(loss(original, original)) == 0
    assert float(loss(original + 0.2, original)) == pytest.approx(0, abs=1e-6)


def test_more_blur_is_worse_at_every_scale() -> None:
    loss = TextureLoss()
    for factor in (1, 2, 4):
        original = F.interpolate(grain(0), scale_factor=factor, mode="nearest")
        losses = [
            float(loss(F.avg_pool2d(original, n, 1, n // 2, count_include_pad=False), original)) for n in (1, 3, 9)
        ]
        assert losses == sorted(losses)
        assert losses[1] < losses[2]


def test_where_texture_is_counts() -> None:
    left, other, right = (torch.full((1, 3, 64, 64), 0.5) for _ in range(3))
    left[..., :32], other[..., :32], right[..., 32:] = (grain(i, side=64)[..., :32] for i in range(3))
    assert float(TextureLoss()(right, left)) > 3 * float(TextureLoss()(other, left))


@pytest.mark.parametrize("shape", [(16, 16), (17, 9), (4, 64)])
def test_small_and_odd_images_have_gradients(shape: tuple[int, int]) -> None:
    made = torch.rand(2, 3, *shape).requires_grad_(True)
    TextureLoss()(made, torch.rand(2, 3, *shape)).backward()
    assert made.grad is not None
    assert bool(made.grad.isfinite().all())
    flat = torch.full((1, 3, 16, 16), 0.5).requires_grad_(True)
    TextureLoss()(flat, torch.rand(1, 3, 16, 16)).backward()
    assert flat.grad is not None
    assert bool(flat.grad.isfinite().all())
