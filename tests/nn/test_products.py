"""Products of 8-bit integers: the same whole numbers by every kernel there is, and by hand."""

from __future__ import annotations

import pytest
import torch

from vqc.nn import products
from vqc.nn.products import EXACT, LARGEST_INPUT, LARGEST_WEIGHT, MOST_TERMS, integer_product

KERNELS = (True, False)  # torch._int_mm, float32


@pytest.fixture(params=KERNELS, ids=["int8", "float32"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    quick: bool = request.param
    if quick and not products.is_exact():
        pytest.skip("torch._int_mm is wrong here, and is not used")
    monkeypatch.setattr(products, "has_quick_bytes", lambda: quick)
    return quick


def factors(rows: int, inputs: int, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randint(-LARGEST_INPUT, LARGEST_INPUT + 1, (rows, inputs), dtype=torch.int8)
    return x, torch.randint(-LARGEST_WEIGHT, LARGEST_WEIGHT + 1, (outputs, inputs), dtype=torch.int8)


@pytest.mark.parametrize("shape", [(1, 5, 3), (17, 1, 1), (40, 129, 7), (512, 1152, 128), (64, 0, 4), (0, 8, 4)])
def test_any_factors(kernel: bool, shape: tuple[int, int, int]) -> None:
    x, weight = factors(*shape)
    assert torch.equal(integer_product(x, weight).to(torch.int64), x.to(torch.int64) @ weight.to(torch.int64).T)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)])
def test_the_largest_sums(kernel: bool, signs: tuple[int, int]) -> None:
    x = torch.full((33, MOST_TERMS), signs[0] * LARGEST_INPUT, dtype=torch.int8)
    weight = torch.full((20, MOST_TERMS), signs[1] * LARGEST_WEIGHT, dtype=torch.int8)
    whole = signs[0] * signs[1] * LARGEST_INPUT * LARGEST_WEIGHT * MOST_TERMS
    assert abs(whole) < EXACT
    assert (integer_product(x, weight).to(torch.int64) == whole).all()


def test_parts_of_a_weight(kernel: bool) -> None:
    x, weight = factors(30, 24, 50)
    part = weight[10:31, 3:27][:, :21]
    assert torch.equal(integer_product(x[:, :21], part).to(torch.int64), x[:, :21].long() @ part.long().T)


def test_both_kernels_scale_to_the_same_floats() -> None:
    x, weight = factors(64, 300, 40)
    scale = torch.rand(40)
    by_kernel = []
    for quick in KERNELS:
        sums = torch._int_mm(x, weight.T) if quick and products.is_exact() else x.float() @ weight.float().T
        by_kernel.append(sums * 128 * scale)
    assert torch.equal(*by_kernel)
