"""A bound on what building a model may cost, so that a config cannot ask for more than its file could ever hold.

What is built is filled from the file right after. So tensors that begin with random numbers are made without memory
(on torch's meta device), and others that are large with memory that is not touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode  # TorchDispatchMode would import the compiler: a second

_LEAST_COST = 4096  # of any tensor: a million empty ones cost time as well
_FREE = 1 << 24  # elements that every model may have: the smallest files hold models, too
_OF_A_BYTE = 4  # elements made while a model is built; bundled models make less than one for each byte of their file
_RANDOM = {torch.empty, torch.rand, torch.randn}
_SAME_SHAPE = {"mul", "div", "round", "clamp", "clamp_min", "abs"}  # on the meta device they import the compiler
_FACTORIES = {torch.arange, torch.eye, torch.full, torch.hann_window, torch.linspace, torch.ones, torch.zeros} | _RANDOM
_FILLS = {nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, Tensor.uniform_, Tensor.normal_}  # not made


class BudgetError(ValueError):
    """More was asked for than the budget allows."""


class Budget(TorchFunctionMode):
    """Within this context tensors are made only as long as all of them together could belong to a file of `size` bytes.

    What counts is how many elements are asked for anew (`zeros`, `randn` …): results of sums and products of these are
    no larger. BudgetError comes before the tensor that is too much. Random ones are on the device "meta".
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = _FREE + _OF_A_BYTE * size

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _FILLS:
            return args[0] if args else (kwargs or {})["tensor"]
        if func in _FACTORIES:
            self.left -= max(_LEAST_COST, _elements(args))
            if self.left < 0:
                raise BudgetError("it asks for far more memory than the file holds")
        if func in _RANDOM:
            return torch.empty(*args, **{**(kwargs or {}), "device": "meta"})
        if func.__name__ in _SAME_SHAPE and args[0].is_meta:
            return args[0]
        if func is Tensor.amax and args[0].is_meta:
            return args[0].narrow(args[1], 0, 1)  # with `keepdim`
        if func is torch.zeros and not kwargs:
            return torch.from_numpy(np.zeros(_sizes(args), np.float32))  # not touched before it is written
        return func(*args, **(kwargs or {}))


def _elements(args: Sequence[Any]) -> int:
    """Elements that a factory is asked for."""
    return math.prod(size for size in _sizes(args) if type(size) is int and size > 0)


def _sizes(args: Sequence[Any]) -> Sequence[Any]:
    """Sizes that a factory is asked for: it is given a list of them, or each as an argument."""
    return args[0] if args and isinstance(args[0], list | tuple) else args
