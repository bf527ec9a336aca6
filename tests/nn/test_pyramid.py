"""The convolutional pyramids."""

from __future__ import annotations

import torch
from torch import Tensor

from vqc.nn.pyramid import QualityStack, SynthesisPyramid

WIDTHS = (4, 6, 8)
INDEX = torch.tensor([1])


def pyramid_of(fine_blocks: int) -> SynthesisPyramid:
    torch.manual_seed(0)
    pyramid = SynthesisPyramid(5, WIDTHS, ((3,) * fine_blocks, (2,), (3,)), qualities=2)
    torch.nn.init.normal_(pyramid.project.weight)
    return pyramid.eval()


def through(pyramid: SynthesisPyramid, fine_blocks: int | None) -> Tensor:
    torch.manual_seed(1)
    latents, image = torch.randn(1, 5, 2, 3), torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        found: Tensor = pyramid(latents, image, INDEX, fine_blocks)
    return found


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
