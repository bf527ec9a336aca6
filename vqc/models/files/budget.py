"""A bound on what building a model may cost, so that a config cannot ask for more than its file could ever hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_LEAST_COST = 4096  # of any tensor: a million empty ones cost time as well
_FREE = 1 << 24  # elements that every model may have: the smallest files hold models, too
_OF_A_BYTE = 4  # elements made while a model is built; bundled models make less than one for each byte of their file


class BudgetError(ValueError):
    """More was asked for than the budget allows."""


class Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this context tensors are made only as long as all of them together could belong to a file of `size` bytes.

    What counts is how many elements are asked for anew (`zeros`, `randn` …): results of sums and products of these are
    no larger. BudgetError comes before the tensor that is too much.
    """

    def __init__(self, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = _FREE + _OF_A_BYTE * size

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if not (args and isinstance(args[0], Tensor)):
            self.left -= max(_LEAST_COST, _elements(args))
            if self.left < 0:
                raise BudgetError("it asks for far more memory than the file holds")
        return func(*args, **(kwargs or {}))


def _elements(args: Sequence[Any]) -> int:
    """Elements that a factory is asked for: it is given a list of sizes, or each as an argument."""
    sizes = args[0] if args and isinstance(args[0], list | tuple) else args
    return math.prod(size for size in sizes if type(size) is int and size > 0)
