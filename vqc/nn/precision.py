"""Float32 where bfloat16 is too coarse: nearest entries and moving averages, autocast or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

Owner = TypeVar("Owner")
Result = TypeVar("Result")
Rest = ParamSpec("Rest")


def in_float32(
    method: Callable[Concatenate[Owner, Tensor, Rest], Result],
) -> Callable[Concatenate[Owner, Tensor, Rest], Result]:
    """Make a method, whose first argument is a tensor, compute without autocast and with that tensor as float32.

    With neither autocast nor a half-precision tensor around, the method is called as it is: float64 stays float64.
    """

    @wraps(method)
    def whole(self: Owner, x: Tensor, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Result:
        half = x.dtype in (torch.bfloat16, torch.float16)  # made inside an autocast that is over
        if not half and not torch.is_autocast_enabled(x.device.type):
            return method(self, x, *args, **kwargs)
        with torch.autocast(x.device.type, enabled=False):
            return method(self, x.float() if half else x, *args, **kwargs)

    return whole
