"""Layers that compute the same integers on every machine, and train as ordinary float layers before.

A layer begins in float. `quantize_` rounds its parameters, and from then on it works on whole numbers in float32
tensors: an activation a stands for a / 2^10 and is kept within ±(2^15 − 1). A product of matrices is one of 8-bit
integers (`vqc.nn.products`): weights have 8 bits and a scale for each output, and inputs are rounded to 8 bits in a
unit of the layer's own, a power of two that `calibrate` chooses, or go in as a high and a low byte. All else is done
value by value with operations that IEEE 754 rounds the same everywhere, and every non-linear function is a comparison
or a table that was made with integer arithmetic alone. So nothing a machine does can change a result.

The same `forward` of a network serves both: only the layers here know which numbers they are given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.products import EXACT, LARGEST_INPUT, LARGEST_WEIGHT, MOST_TERMS, integer_product, prepared

ONE = 1 << 10  # an activation of 1.0
LARGEST = (1 << 15) - 1  # of an activation
RANGE = LARGEST / ONE
LOGIT = 1 << 8  # a nat in logits; so the table of exponentials fits the first-level cache
SHIFTS = range(9)  # one in the bytes of an input is 2^shift of its integers: bytes reach from ±0.12 to ±31.75
TWO_BYTES = -1  # in place of a shift: a high and a low byte, whose unit is 2
LOW = 128  # what one in a high byte is worth
LARGEST_OF_TWO = LOW * LARGEST_INPUT + LOW // 2 - 1
_LARGEST_OF_VECTOR = LOW * LARGEST_WEIGHT  # of a code's vector, whose high byte may be a weight
_SAMPLE = 4096  # values of an input that calibration looks at, of each batch
_ALL = slice(None)
_FLOOR = 1e-12  # of the scale of weights that are all zero


class CodingStep(NamedTuple):
    """Codes whose probabilities are known together, in the order in which they are coded."""

    indices: Tensor  # int64 [N]: where they are in the flattened codes
    logits: Tensor  # [N, K], in nats; of an integer prior in units of 1 / 2^8 nat, the same float32 numbers everywhere


class IntegerModule(nn.Module):
    """A layer or network of them; `quantize_` turns all of it from float to integers."""

    is_integer: bool = False

    def quantize_(self, *, check: bool = True) -> None:
        """Round the parameters to integers, for good.

        Args:
            check: that no sum can be inexact; whoever loads other integers in their place calls `check_bounds` then.

        Raises:
            OverflowError: a sum could be inexact, or a parameter does not fit.
        """
        for module in self.modules():
            if isinstance(module, IntegerModule) and not module.is_integer:
                module.is_integer = True
                module._quantize()
        if check:
            self.check_bounds()

    def check_bounds(self) -> None:
        """Raise OverflowError when some sum could leave the integers that float32 holds, or a number its bits."""
        for module in self.modules():
            if isinstance(module, IntegerModule):
                module._check_bounds()

    def _quantize(self) -> None:
        """Change what this module itself holds."""

    def _check_bounds(self) -> None:
        """Check what this module itself holds."""

    def dequantized(self) -> dict[str, Tensor]:
        """Return the float parameters that the integers of this module itself stand for, by their own names."""
        return {}

    def to_fixed_point(self, integers: Tensor) -> Tensor:
        """Return activations from integers in units of 1 / 2^10."""
        x = integers.to(torch.float32)
        return x if self.is_integer else x / ONE

    def to_logits(self, x: Tensor) -> Tensor:
        """Return logits from activations."""
        return x * (LOGIT / ONE) if self.is_integer else x

    def relu(self, x: Tensor) -> Tensor:
        """Return max(x, 0), bounded above."""
        return x.clamp(0, LARGEST if self.is_integer else RANGE)

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y, bounded; of integers in place of x, which nobody may need any more."""
        if not self.is_integer:
            return self.clip(x + y)
        return x.add_(y).clamp_(-LARGEST, LARGEST)

    def clip(self, x: Tensor) -> Tensor:
        """Return the activation nearest to x: what sums of activations have to go through."""
        limit = LARGEST if self.is_integer else RANGE
        return x.clamp(-limit, limit)


class Constants(NamedTuple):
    """What an integer layer needs in every call, made from what it stores."""

    shift: int  # of SHIFTS, or TWO_BYTES
    unit: Tensor  # float32 [O]: what one in a sum of products of bytes is in units of activations
    biases: tuple[Tensor, ...]  # of each quality, float32 [O]
    weight: Tensor  # [O, I], as products use it


class IntegerLinear(IntegerModule):
    """x Wᵀ + b, with a bias for each quality; qualities count from 1.

    Its inputs are of one byte once they have been calibrated, and of two until then.

    Args:
        zero: begin with weights of 0.
        precise: keep inputs of two bytes, in twice the time.
    """

    weight: Tensor  # [O, I], int8 once quantized
    scale: Tensor  # float32 [O], what one in a row of the integer weight is worth
    bias: Tensor  # [Q, O], int16 in units of activations once quantized
    input_shift: Tensor  # of SHIFTS, or TWO_BYTES
    rounds: bool = False  # whether the float layer computes with rounded weights and inputs: see `round_in_training`

    def __init__(
        self, inputs: int, outputs: int, *, qualities: int = 1, zero: bool = False, precise: bool = False
    ) -> None:
        super().__init__()
        self.precise = precise
        weight = torch.zeros(outputs, inputs) if zero else torch.randn(outputs, inputs) * math.sqrt(1.5 / inputs)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(qualities, outputs))
        self.register_buffer("input_shift", torch.tensor(TWO_BYTES, dtype=torch.int8))
        self.errors: Tensor | None = None  # float64 [len(SHIFTS)], while calibrating: what each shift would cost
        self._constants: Constants | None = None  # until they are asked for

    def forward(
        self,
        x: Tensor,
        quality: int = 1,
        *,
        inputs: slice = _ALL,
        outputs: slice = _ALL,
        rectified: bool = False,
    ) -> Tensor:
        """Map [..., I] to [..., O], bounded; of a part of the inputs or outputs where slices are given.

        Args:
            rectified: map max(x, 0) instead; of integers x need not be bounded above then.
        """
        if self.is_integer:
            return self.of_bytes(self.to_bytes(x, rectified=rectified), quality, inputs=inputs, outputs=outputs)
        x = self.relu(x) if rectified else x
        weight = self.trained_weight()[outputs, inputs]
        return self.clip(F.linear(self.trained_input(x), weight, self.bias[quality - 1, outputs]))

    def to_bytes(self, x: Tensor, *, rectified: bool = False) -> tuple[Tensor, ...]:
        """Round an input, or max(x, 0), to its byte, or to its high and low byte: int8, each as large as the input."""
        shift = self.constants().shift
        if shift < 0:
            return _two_bytes(x.mul(0.5), rectified=rectified)
        least = 0 if rectified else -LARGEST_INPUT
        return (x.mul(2.0**-shift).round_().clamp_(least, LARGEST_INPUT).to(torch.int8),)

    def of_bytes(
        self,
        x: tuple[Tensor, ...],
        quality: int = 1,
        *,
        inputs: slice = _ALL,
        outputs: slice = _ALL,
    ) -> Tensor:
        """Map what `to_bytes` gave, [..., I], to [..., O]."""
        _, unit, biases, weight = self.constants()
        bias = biases[quality - 1]
        if inputs != _ALL or outputs != _ALL:
            weight, unit, bias = weight[outputs, inputs], unit[outputs], bias[outputs]
        sums = integer_product(x[0].flatten(0, -2), weight)  # [N, O]
        if len(x) == 2:
            sums = sums.mul_(LOW).add_(integer_product(x[1].flatten(0, -2), weight))
        y = sums.view(torch.float32).copy_(sums)  # in place: fresh memory costs more than the sums
        # not in one operation: some processors would round once, others twice
        y.mul_(unit).add_(bias).round_().clamp_(-LARGEST, LARGEST)
        return y.view(*x[0].shape[:-1], -1)

    def trained_weight(self) -> Tensor:
        """Return the float weight, rounded if training says so; its gradient is as if it were not."""
        if not self.rounds:
            return self.weight
        return round_straight_through(self.weight, _scale_of(self.weight.detach()))

    def trained_input(self, x: Tensor) -> Tensor:
        """Return a float input, rounded to its byte if training says so; looked at first while calibrating."""
        if self.errors is not None:
            self._look_at(x.detach())
        shift = int(self.input_shift) if self.rounds else TWO_BYTES
        if shift < 0:
            return x
        unit = 2.0**shift / ONE
        return round_straight_through(x.clamp(-LARGEST_INPUT * unit, LARGEST_INPUT * unit), unit)

    def _look_at(self, x: Tensor) -> None:
        """Add to `errors` the squared error of rounding some of x with each shift."""
        assert self.errors is not None, "only while calibrating"
        some = x.flatten()[:: max(1, x.numel() // _SAMPLE)].double() * ONE
        for i, shift in enumerate(SHIFTS):
            rounded = (some * 2.0**-shift).round().clamp(-LARGEST_INPUT, LARGEST_INPUT) * 2.0**shift
            self.errors[i] += (some - rounded).square().sum().to(self.errors)

    def constants(self) -> Constants:
        """Return what the layer needs in every call."""
        if self._constants is None:
            shift = int(self.input_shift)
            unit = self.scale * (2.0**shift if shift >= 0 else 2.0)
            self._constants = Constants(shift, unit, self.bias.float().unbind(0), prepared(self.weight))
        return self._constants

    def _apply(self, fn: Any, recurse: bool = True) -> Self:  # another device
        self._constants = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._constants = None
        super()._load_from_state_dict(*args, **kwargs)

    def _quantize(self) -> None:
        self._constants = None
        weight, bias = self.weight.detach().float(), self.bias.detach().double()
        if not (weight.is_meta or bool(weight.isfinite().all() and bias.isfinite().all())):
            raise OverflowError("a weight is not a number")
        scale = _scale_of(weight)
        del self.weight, self.bias
        self.register_buffer("scale", scale[:, 0].contiguous())  # float32 [O]
        self.register_buffer("weight", (weight / scale).round().to(torch.int8))
        self.register_buffer("bias", (bias * ONE).round().clamp(-LARGEST, LARGEST).to(torch.int16))

    def _check_bounds(self) -> None:
        self._constants = None  # whoever asks may have changed what is stored
        if int(self.input_shift) not in (TWO_BYTES, *SHIFTS) or not bool((self.scale > 0).all()):
            raise OverflowError("an input has a unit that layers do not have, or an output no scale")
        if _largest(self.weight) > LARGEST_WEIGHT:
            raise OverflowError(f"a weight is beyond ±{LARGEST_WEIGHT}: products would be wrong on some processors")
        if (terms := self.weight.shape[1]) > MOST_TERMS:
            bound = LARGEST_INPUT * int(self.weight.abs().sum(1, dtype=torch.int64).max())
            if bound >= EXACT:
                raise OverflowError(f"sums over {terms} inputs can reach {bound}: above 2^24 none is exact")

    def dequantized(self) -> dict[str, Tensor]:
        return {"weight": self.weight.float() * self.scale[:, None], "bias": self.bias / ONE}


def round_straight_through(x: Tensor, step: Tensor | float) -> Tensor:
    """Round to multiples of a step, with the gradient of x itself (Bengio et al. 2013, arXiv 1308.3432)."""
    return x + ((x / step).round() * step - x).detach()


def _two_bytes(x: Tensor, *, rectified: bool = False) -> tuple[Tensor, Tensor]:
    """Round numbers, or max(x, 0), to 128 · high + low: int8, low within ±64. x is overwritten."""
    whole = x.round_().clamp_(0 if rectified else -LARGEST_OF_TWO, LARGEST_OF_TWO)
    high = whole.mul(1 / LOW).round_()
    return high.to(torch.int8), whole.sub_(high, alpha=LOW).to(torch.int8)


def _largest(values: Tensor) -> int:
    """Return the largest size of integers, also of −128 in int8, whose size is no int8."""
    return max(int(values.max()), -int(values.min()))


def _scale_of(weight: Tensor, largest: int = LARGEST_WEIGHT) -> Tensor:
    """Return what one stands for in the integers, up to `largest`, of each row of a weight [O, I], [O, 1]."""
    return weight.abs().amax(1, keepdim=True).clamp_min(_FLOOR) / largest


@contextmanager
def calibrating(network: nn.Module) -> Iterator[None]:
    """Choose the unit of every layer's inputs by what a float network is given in the meantime.

    The unit is that of least squared error. A layer that is given nothing keeps what it has.
    """
    layers = [m for m in network.modules() if isinstance(m, IntegerLinear) and not (m.is_integer or m.precise)]
    for layer in layers:
        layer.errors = torch.zeros(len(SHIFTS), dtype=torch.float64)
    try:
        yield
    finally:
        for layer in layers:
            if layer.errors is not None and bool(layer.errors.any()):
                layer.input_shift.fill_(SHIFTS[int(layer.errors.argmin())])
            layer.errors = None


def is_calibrated(network: nn.Module) -> bool:
    """Whether units of inputs have been chosen, of any layer."""
    return any(int(layer.input_shift) != TWO_BYTES for layer in network.modules() if isinstance(layer, IntegerLinear))


def forget_calibration(network: nn.Module) -> None:
    """Let the inputs of all layers be of two bytes again."""
    for layer in network.modules():
        if isinstance(layer, IntegerLinear):
            layer.input_shift.fill_(TWO_BYTES)


def round_in_training(network: nn.Module, rounds: bool = True) -> None:
    """Let a float network compute with the rounded weights and inputs that it will have as integers.

    Gradients pass as if nothing were rounded: see `round_straight_through`.
    """
    for module in network.modules():
        if isinstance(module, IntegerLinear):
            module.rounds = rounds


def dequantized(network: nn.Module, like: nn.Module) -> dict[str, Tensor]:
    """Return the state of a float network, of the same shape as `like`, that says what an integer one does.

    Without what `like` lacks; what it has more of is not there either.
    """
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, IntegerModule) and module.is_integer:
            state |= {f"{name}.{own}" if name else own: tensor for own, tensor in module.dequantized().items()}
    return {name: state[name].to(tensor.dtype) for name, tensor in like.state_dict().items() if name in state}


class IntegerEmbedding(IntegerModule):
    """A trained vector for each of `size` codes, with a scale of its own once quantized.

    Eight bits would cost a prior of many codes 0.8 %: these vectors are its output too. So they have 14.
    """

    vectors: Tensor  # [size, dims], int16 once quantized
    scale: Tensor  # float32 [size], what one in an integer vector is worth, in units of activations

    def __init__(self, size: int, dims: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(size, dims))

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes int64 [...] to [..., dims], bounded."""
        if self.is_integer:
            return self.clip((F.embedding(codes, self.vectors) * self.scale[codes, None]).round_())
        return self.clip(F.embedding(codes, self.vectors))

    def products(self, x: Tensor, codes: slice) -> Tensor:
        """Map activations [N, dims] to their products with the vectors of some codes, [N, K], not bounded."""
        if not self.is_integer:
            return x @ self.clip(self.vectors[codes]).T
        x_high, x_low = _two_bytes(x.mul(0.5))
        high, low = _two_bytes(self.vectors[codes].float())  # within ±64, as weights have to be
        mixed = integer_product(x_high, low).float() + integer_product(x_low, high).float()  # [N, K]
        sums = integer_product(x_high, high).float().mul_(LOW).add_(mixed).mul_(LOW)
        sums.add_(integer_product(x_low, low).float())
        return sums.mul_(self.scale[codes] * (2.0 / ONE)).round_()

    def values(self) -> Tensor:
        """Return the vectors in units of 1 / 2^10 as they are read, [size, dims]."""
        values: Tensor = self(torch.arange(len(self.vectors), device=self.vectors.device))
        return values

    def replace(self, values: Tensor) -> None:
        """Take others [any size, dims] in the units of `values` in their place, once quantized."""
        scale = _scale_of(values.float(), _LARGEST_OF_VECTOR)
        self.register_buffer("scale", scale[:, 0].contiguous())  # float32 [size]
        self.register_buffer("vectors", (values.float() / scale).round().to(torch.int16))

    def _quantize(self) -> None:
        vectors = self.vectors.detach() * ONE
        if not vectors.is_meta and (not bool(vectors.isfinite().all()) or float(vectors.abs().max()) > EXACT):
            raise OverflowError("a vector of a code is beyond what 24 bits can hold")
        del self.vectors
        self.replace(vectors.clamp(-LARGEST, LARGEST))

    def _check_bounds(self) -> None:
        if _largest(self.vectors) > _LARGEST_OF_VECTOR or not bool((self.scale > 0).all()):
            raise OverflowError(f"a number of a code is beyond ±{_LARGEST_OF_VECTOR}, or has no scale")

    def dequantized(self) -> dict[str, Tensor]:
        return {"vectors": self.vectors.float() * self.scale[:, None] / ONE}
