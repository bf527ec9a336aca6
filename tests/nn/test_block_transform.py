"""Pictures cut into blocks and put together again."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vqc.nn.block_transform import cut_blocks, join_blocks


@pytest.mark.parametrize("size", [2, 4, 16])
def test_blocks_are_ordered_as_torch_does(size: int) -> None:
    image = torch.rand(2, 3, 32, 48)
    blocks = cut_blocks(image, size)
    assert torch.equal(blocks.permute(0, 3, 1, 2), F.pixel_unshuffle(image, size))
    assert torch.equal(join_blocks(blocks, size), image)
