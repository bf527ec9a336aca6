"""Integer layers for few rows at a time, in NumPy: the integers of the layers themselves, with less to do around them.

Who goes from position to position gives a layer a row or two. Then most of the time is spent on calling operations and
on turning weights of a byte into floats. Here weights are kept as floats, and NumPy begins an operation several times
as fast as torch. Sums of products are whole numbers below 2^24, which float32 adds exactly in any order; all else is
done value by value, as IEEE 754 rounds it everywhere.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.nn.gating import REACH, UNIT, gate_tables
from vqc.nn.integer import LARGEST, LARGEST_OF_TWO, LOW, ONE, IntegerLinear
from vqc.nn.products import LARGEST_INPUT

MOST_ROWS = 8  # with more the 8-bit instructions of a processor are as fast

Rows = NDArray[np.float32]  # [..., N, C] of whole numbers


def bound(x: Rows, limit: int) -> Rows:
    """Keep x within ±limit, in place: less to call than `np.clip`."""
    np.maximum(x, np.float32(-limit), out=x)
    return np.minimum(x, np.float32(limit), out=x)


class FewRowsLinear:
    """x Wᵀ + b of an `IntegerLinear`."""

    def __init__(self, layer: IntegerLinear, quality: int = 1) -> None:
        constants = layer.constants()
        self.weight: Rows = np.ascontiguousarray(layer.weight.T.float().numpy())  # [I, O]
        self.planes = 1 if constants.shift >= 0 else 2  # bytes of an input
        self.step = np.float32(2.0**-constants.shift if self.planes == 1 else 0.5)
        self.unit: Rows = constants.unit.numpy()  # [O]
        self.bias: Rows = constants.biases[quality - 1].numpy()  # [O]

    def to_bytes(self, x: Rows) -> Rows:
        """Round inputs [N, I] to whole numbers of a byte, [1, N, I], or of a high and a low one, [2, N, I]."""
        whole: Rows = np.rint(x * self.step)
        limit = LARGEST_INPUT if self.planes == 1 else LARGEST_OF_TWO
        bound(whole, limit)
        if self.planes == 1:
            return whole[None]
        high = np.rint(whole * np.float32(1 / LOW))
        return np.stack([high, whole - high * np.float32(LOW)])

    def of_bytes(self, x: Rows) -> Rows:
        """Map what `to_bytes` gave to [N, O], bounded."""
        y: Rows = x[0] @ self.weight
        if self.planes == 2:
            y *= np.float32(LOW)
            y += x[1] @ self.weight
        y *= self.unit
        y += self.bias
        return bound(np.rint(y, out=y), LARGEST)

    def __call__(self, x: Rows) -> Rows:
        """Map [N, I] to [N, O], bounded."""
        return self.of_bytes(self.to_bytes(x))


class FewRowsGate:
    """[N, 2C], which is overwritten, to [N, C] as a `Gate`."""

    def __init__(self) -> None:
        tanh, sigmoid = gate_tables(torch.device("cpu"))
        self.tanh, self.sigmoid = tanh.numpy(), sigmoid.numpy()

    def __call__(self, x: Rows) -> Rows:
        width = x.shape[1] // 2
        index = (bound(x, REACH) + np.float32(REACH)).astype(np.intp)
        y: Rows = self.tanh[index[:, :width]] * self.sigmoid[index[:, width:]]
        y *= np.float32(ONE / (1 << 2 * UNIT))
        return np.rint(y, out=y)


class FewRowsConvolution:
    """A dilated causal convolution over frames that come one by one, of an `IntegerLinear` over its taps."""

    def __init__(self, layer: IntegerLinear, quality: int, *, count: int, size: int, dilation: int) -> None:
        self.linear, self.frame = FewRowsLinear(layer, quality), 0
        self.pasts = np.arange(dilation * (size - 1), -1, -dilation)  # of the taps, in frames, the oldest first
        width = len(self.linear.weight) // size
        # zeros before the first frame
        self.ring: Rows = np.zeros((self.linear.planes, count, dilation * (size - 1) + 1, width), np.float32)

    def __call__(self, x: Rows) -> Rows:
        """Map the next frame [N, C], with those before it, to [N, O]."""
        ring, frames = self.ring, self.ring.shape[2]
        ring[:, :, self.frame % frames] = self.linear.to_bytes(x)
        taps = ring[:, :, (self.frame - self.pasts) % frames]  # [planes, N, size, C]
        self.frame += 1
        return self.linear.of_bytes(taps.reshape(*taps.shape[:2], -1))
