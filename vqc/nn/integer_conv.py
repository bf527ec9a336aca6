"""A convolution as an integer layer: its taps are gathered, and a product of matrices does the rest.

Libraries may compute a convolution by Winograd's or Fourier's way, where sums of whole numbers are not exact.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.nn.integer import IntegerLinear, IntegerModule


class IntegerConv(IntegerModule):
    """A convolution over [B, *grid, C], zero around it, with a bias for each quality.

    Args:
        kernel: positions along each axis of the grid, odd numbers.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, ...] = (3, 3), *, qualities: int = 1) -> None:
        super().__init__()
        self.inputs, self.kernel = inputs, kernel
        self.linear = IntegerLinear(math.prod(kernel) * inputs, outputs, qualities=qualities)

    def forward(self, x: Tensor, quality: int = 1, *, rectified: bool = False) -> Tensor:
        """Map [B, *grid, inputs] to [B, *grid, outputs], bounded; `rectified` as for an `IntegerLinear`."""
        if self.is_integer:
            return self.linear.of_bytes(tuple(map(self._taps, self.linear.to_bytes(x, rectified=rectified))), quality)
        x = self.relu(x) if rectified else x
        reach = [size // 2 for size in self.kernel]
        convolve = F.conv1d if len(reach) == 1 else F.conv2d
        weight = self.linear.trained_weight().view(-1, *self.kernel, self.inputs)  # [outputs, *kernel, inputs]
        rounded = self.linear.trained_input(x).movedim(-1, 1)
        y = convolve(rounded, weight.movedim(-1, 1), self.linear.bias[quality - 1], padding=reach)
        return self.clip(y.movedim(1, -1))

    def _taps(self, x: Tensor) -> Tensor:
        """Put the neighbours of each position of [B, *grid, C] side by side, [B, *grid, kernel · C]."""
        sides = (n // 2 for size in reversed(self.kernel) for n in (size, size))
        around = F.pad(x, [0, 0, *sides])
        shifts = product(*map(range, self.kernel))
        windows = ([slice(i, i + size) for i, size in zip(shift, x.shape[1:], strict=False)] for shift in shifts)
        return torch.cat([around[:, *window] for window in windows], -1)
