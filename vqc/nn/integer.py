"""Layers that compute the same integers on every machine, and train as ordinary float layers before.

A layer begins in float. `quantize_` rounds its parameters to integers, and then it works on integer-valued float64
tensors: an activation a stands for a / 2^10 and is kept within ±(2^15 − 1), a weight has 16 bits and a power-of-two
scale of its own. As long as no partial sum reaches 2^53, float64 adds and multiplies integers without rounding, in any
order, on any processor, with any number of threads; `check_bounds` proves that from the actual weights and refuses
otherwise. Rescaling multiplies by a power of two and rounds down, which is exact too, and every non-linear function is
a comparison or a table that was made with integer arithmetic alone. So nothing a machine does can change a result.

The same `forward` of a network serves both: only the layers here know which numbers they are given.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ONE = 1 << 10  # an activation of 1.0
LARGEST = (1 << 15) - 1  # of an activation or weight
RANGE = LARGEST / ONE
TOTAL = 1 << 24  # what frequencies sum to
_EXACT = 1 << 53  # integers up to here are float64 numbers
_MOST_WEIGHT_BITS = 20  # of the fraction: weights below 2^-5 alone do not need more


class CodingStep(NamedTuple):
    """Codes whose probabilities are known together, in the order in which they are coded."""

    indices: Tensor  # int64 [N]: where they are in the flattened codes
    logits: Tensor  # [N, K], in nats; of an integer prior float64 integers in units of 1 / 2^10 nat


class IntegerModule(nn.Module):
    """A layer or network of them; `quantize_` turns all of it from float to integers."""

    is_integer: bool = False

    def quantize_(self, *, check: bool = True) -> None:
        """Round the parameters to integers, for good; OverflowError when sums could be inexact.

        Whoever loads other integers in their place may leave `check` out, but has to call `check_bounds` afterwards.
        """
        for module in self.modules():
            if isinstance(module, IntegerModule) and not module.is_integer:
                module.is_integer = True
                module._quantize()
        if check:
            self.check_bounds()

    def check_bounds(self) -> None:
        """OverflowError when some sum could leave the integers that float64 holds, or a number the bits it has."""
        for module in self.modules():
            if isinstance(module, IntegerModule):
                module._check_bounds()

    def _quantize(self) -> None:
        """Round the parameters of this module itself."""

    def _check_bounds(self) -> None:
        """Check the integers of this module itself."""

    def _unit_of(self, name: str) -> float:
        """Return what an integer 1 stands for, in a tensor that was a parameter before `quantize_`."""
        return 1 / ONE

    @property
    def dtype(self) -> torch.dtype:
        """Type of activations."""
        return torch.float64 if self.is_integer else torch.float32

    def to_fixed_point(self, integers: Tensor) -> Tensor:
        """Make activations of integers in units of 1 / 2^10."""
        return integers.to(torch.float64) if self.is_integer else integers.to(torch.float32) / ONE

    def relu(self, x: Tensor) -> Tensor:
        """Apply ReLU, bounded above."""
        return x.clamp(0, LARGEST if self.is_integer else RANGE)

    def clip(self, x: Tensor) -> Tensor:
        """Return the activation nearest to x: sums of activations have to go through it."""
        limit = LARGEST if self.is_integer else RANGE
        return x.clamp(-limit, limit)


class IntegerLinear(IntegerModule):
    """x Wᵀ + b, with a bias for each quality; qualities count from 1.

    Args:
        largest: bound of the inputs in integer units, for `check_bounds`.
    """

    def __init__(
        self, inputs: int, outputs: int, *, qualities: int = 1, zero: bool = False, largest: int = LARGEST
    ) -> None:
        super().__init__()
        self.largest = largest
        self.shift: Tensor
        weight = torch.zeros(outputs, inputs) if zero else torch.randn(outputs, inputs) * math.sqrt(1.5 / inputs)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(qualities, outputs))

    def forward(
        self, x: Tensor, quality: int = 1, *, inputs: slice = slice(None), outputs: slice = slice(None)
    ) -> Tensor:
        """[..., inputs] to [..., outputs], bounded; the slices choose inputs and outputs."""
        weight, bias = self.weight[outputs, inputs], self.bias[quality - 1, outputs]  # [outputs, inputs], [outputs]
        if not self.is_integer:
            return self.clip(F.linear(x, weight, bias))
        sums = torch.addmm(bias + 0.5 / self.unit, x.flatten(0, -2), weight.T)  # [N, outputs]; 0.5: to the nearest
        return sums.mul_(self.unit).floor_().clamp_(-LARGEST, LARGEST).view(*x.shape[:-1], -1)

    def _quantize(self) -> None:
        weight, bias = self.weight.detach().double(), self.bias.detach().double()
        shift = fraction_bits(weight)
        del self.weight, self.bias
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64))
        self.register_buffer("weight", torch.round(weight * 2.0**shift))
        self.register_buffer("bias", torch.round(bias * ONE * 2.0**shift))

    def _check_bounds(self) -> None:
        check_size(self.weight)
        # the largest sum of any output: every input at its bound, with the sign of its weight
        bound = float((self.weight.abs().sum(1) * self.largest + self.bias.abs().amax(0)).max())
        if not bound < _EXACT or not 0 <= int(self.shift) <= _MOST_WEIGHT_BITS:
            raise OverflowError(
                f"sums over {self.weight.shape[1]} inputs can reach {bound:.3g}: above 2^53 none is exact"
            )

    @property
    def unit(self) -> float:
        """Unit of a sum of products, in units of activations: a power of two."""
        return float(2.0 ** -int(self.shift))

    def _unit_of(self, name: str) -> float:
        return self.unit / ONE if name == "bias" else self.unit


def dequantized(network: IntegerModule, like: nn.Module) -> dict[str, Tensor]:
    """Return the state of a float network like `like` that computes what an integer one does, to train it on.

    Only tensors that both have are in it.
    """
    state, parameters, result = network.state_dict(), dict(like.named_parameters()), {}
    for name, tensor in like.state_dict().items():
        owner, _, own = name.rpartition(".")
        if name in state:
            module = network.get_submodule(owner)
            unit = module._unit_of(own) if isinstance(module, IntegerModule) and name in parameters else 1.0
            result[name] = (state[name] * unit).to(tensor.dtype)
    return result


def fraction_bits(weight: Tensor) -> int:
    """Return the number of bits of fraction that a tensor of 16-bit weights can have."""
    largest = float(weight.abs().max())
    if not largest <= LARGEST:
        raise OverflowError(f"a weight is {largest:.3g}, which 16 bits cannot hold")
    return _MOST_WEIGHT_BITS if largest == 0 else min(_MOST_WEIGHT_BITS, math.floor(math.log2(LARGEST / largest)))


def check_size(integers: Tensor) -> None:
    """OverflowError for what is not a whole number of 16 bits."""
    largest = float(integers.abs().max())
    if not largest <= LARGEST or not torch.equal(integers, integers.floor()):
        raise OverflowError(f"numbers up to {largest:.3g} are not whole numbers of 16 bits")


class IntegerConv(IntegerModule):
    """A convolution over [B, *grid, C], zero around it, with a bias for each quality.

    Args:
        kernel: positions along each axis of the grid, odd numbers.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, ...] = (3, 3), *, qualities: int = 1) -> None:
        super().__init__()
        self.inputs, self.kernel = inputs, kernel
        self.linear = IntegerLinear(math.prod(kernel) * inputs, outputs, qualities=qualities)

    def forward(self, x: Tensor, quality: int = 1) -> Tensor:
        """Convolve [B, *grid, inputs] to [B, *grid, outputs], bounded."""
        reach = [size // 2 for size in self.kernel]
        if self.is_integer:  # gathered, because libraries may compute a convolution by Winograd's or Fourier's way
            around = F.pad(x, [0, 0, *(n for side in reversed(reach) for n in (side, side))])
            shifts = product(*map(range, self.kernel))
            windows = ([slice(i, i + size) for i, size in zip(shift, x.shape[1:], strict=False)] for shift in shifts)
            taps = torch.cat([around[:, *window] for window in windows], -1)  # [B, *grid, kernel · inputs]
            result: Tensor = self.linear(taps, quality)
            return result
        convolve = F.conv1d if len(reach) == 1 else F.conv2d
        weight = self.linear.weight.view(-1, *self.kernel, self.inputs).movedim(-1, 1)  # [outputs, inputs, *kernel]
        y = convolve(x.movedim(-1, 1), weight, self.linear.bias[quality - 1], padding=reach)
        return self.clip(y.movedim(1, -1))


class IntegerEmbedding(IntegerModule):
    """A trained vector for each of `size` codes."""

    def __init__(self, size: int, dims: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(size, dims))

    def forward(self, codes: Tensor) -> Tensor:
        """Look up codes int64 [...]: [..., dims], bounded."""
        return self.clip(F.embedding(codes, self.vectors))

    def _quantize(self) -> None:
        vectors = torch.round(self.vectors.detach().double() * ONE)
        del self.vectors
        self.register_buffer("vectors", vectors)

    def _check_bounds(self) -> None:
        check_size(self.vectors)


@cache
def exponentials() -> Tensor:
    """round(2^24 · exp(−i / 2^10)) up to the first that is zero, as float64; made by integer arithmetic alone."""
    fraction, term, n = 1 << 128, 1 << 128, 0  # of e^(-1 / 1024), by its series, in units of 2^-128
    while term:
        n += 1
        term //= ONE * n
        fraction += -term if n % 2 else term
    values, value = [], 1 << 128
    while rounded := (value >> 103) + 1 >> 1:
        values.append(rounded)
        value = value * fraction >> 128
    return torch.tensor([*values, 0], dtype=torch.float64)


def frequencies(logits: Tensor) -> Tensor:
    """Softmax as integers: logits [N, K] in units of 1 / 2^10 nat to frequencies float64 [N, K] that sum to 2^24.

    Each is at least 1; what rounding leaves, less than K + 32 in 2^24, goes to the first code.
    """
    table = exponentials().to(logits.device)
    # nats below the most likely code, as rows of the table; beyond its end e^-x rounds to zero
    below = (logits.amax(1, keepdim=True) - logits).clamp_(max=len(table) - 1).to(torch.int32)
    weights = table.index_select(0, below.flatten()).view(logits.shape)
    # A weight is at most 2^24 and their sum at least that, so this is at most 2^28 and its product with a weight exact.
    reciprocal = torch.div((TOTAL - logits.shape[1]) << 28, weights.sum(1).to(torch.int64), rounding_mode="floor")
    shares = weights.mul_((reciprocal.to(torch.float64) * 2.0**-28)[:, None]).floor_().add_(1)
    shares[:, 0] += TOTAL - shares.sum(1)  # never negative: rounding down leaves too little, not too much
    return shares
