"""The convolutional pyramids."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.nn.pyramid import QualityStack, SynthesisPyramid, _of_blocks

WIDTHS = (4, 6, 8)
INDEX = torch.tensor([1])


def pyramid_of(fine_blocks: int) -> SynthesisPyramid:
    torch.manual_seed(0)
    pyramid = SynthesisPyramid(5, WIDTHS, ((3,) * fine_blocks, (2,), (3,)), qualities=2)
    torch.nn.init.normal_(pyramid.project.weight)
    return pyramid.eval()


def through(pyramid: SynthesisPyramid, fine_blocks: int | None) -> Tensor:
    torch.manual_seed(1)
    latents, seen = torch.randn(1, 5, 2, 3), torch.randn(1, WIDTHS[0], 8, 12)
    with torch.inference_mode():
        return pyramid.quarters(latents, seen, INDEX, fine_blocks)


def test_later_fine_blocks_can_be_left_out() -> None:
    two = pyramid_of(2)
    one = pyramid_of(1)
    one.load_state_dict({name: value for name, value in two.state_dict().items() if "stack4.blocks.1" not in name})
    assert torch.equal(through(two, 1), through(one, None))
    assert torch.equal(through(two, 2), through(two, None))
    assert not torch.allclose(through(two, 1), through(two, None))


def test_a_stack_takes_the_first_of_its_blocks() -> None:
    torch.manual_seed(0)
    stack = QualityStack(4, (3, 3, 3), qualities=2).eval()
    h = torch.randn(1, 4, 5, 5)
    with torch.inference_mode():
        by_hand = stack.blocks[1](stack.blocks[0](h.clone(), INDEX), INDEX)
        assert torch.equal(stack(h.clone(), INDEX, 2), by_hand)
        assert torch.equal(stack(h.clone(), INDEX, 0), h)


def test_a_layer_for_blocks_of_pixels_need_not_cut_them() -> None:
    torch.manual_seed(0)
    layer, image = torch.nn.Conv2d(3 * 16, 5, 1), torch.randn(2, 3, 16, 24)
    torch.testing.assert_close(_of_blocks(layer, image, 4), layer(F.pixel_unshuffle(image, 4)))
