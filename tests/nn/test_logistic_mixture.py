"""Mixtures of discretized logistics against the plain formula."""

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.nn.logistic_mixture import log_probability, parameters_per_value


def some_parameters(channels: int, mixtures: int, *, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.randn(1, parameters_per_value(channels, mixtures), 1, 1)


@pytest.mark.parametrize("largest", [255, 65535])
@pytest.mark.parametrize("centre", [0.0, 0.3, 1.0])
def test_levels_of_one_channel_sum_to_one(largest: int, centre: float) -> None:
    levels = torch.arange(largest + 1.0).view(1, 1, 1, -1)
    where = torch.full_like(levels, round(centre * largest))
    logs = log_probability(levels, where, some_parameters(1, 4), largest=largest)
    assert float(logs.double().exp().sum()) == pytest.approx(1, abs=2e-4)


def test_each_channel_sums_to_one_given_those_before() -> None:
    """Summed over the last channel, what is left no longer depends on anything but the others."""
    parameters = some_parameters(3, 3)
    centre = torch.tensor([100.0, 120.0, 90.0]).view(1, 3, 1, 1)
    first = [(104.0, 118.0), (0.0, 255.0), (90.0, 131.0)]
    for red, green in first:
        pixels = torch.stack([torch.full((256,), red), torch.full((256,), green), torch.arange(256.0)])
        three = log_probability(pixels[None, :, None], centre, parameters, largest=255).double().exp().sum()
        two = log_probability(pixels[None, :2, None, :1], centre[:, :2], without_blue(parameters), largest=255)
        assert float(three) == pytest.approx(float(two.double().exp()), rel=1e-3)


def without_blue(parameters: Tensor) -> Tensor:
    """Those of red and green of a mixture of three: weight, 3 means, 3 scales, factors of (g, r), (b, r), (b, g)."""
    rows = parameters.unflatten(1, (-1, 3))
    return rows[:, [0, 1, 2, 4, 5, 7]].flatten(1, 2)


def test_the_plain_formula() -> None:
    rng = np.random.default_rng(0)
    parameters = some_parameters(3, 2, seed=1)
    x = rng.integers(1, 255, 3).astype(float)
    centre = np.clip(x + rng.normal(0, 6, 3), 0, 255)
    found = log_probability(tensor(x), tensor(centre), parameters, largest=255)
    p = parameters[0, :, 0, 0].double().numpy().reshape(-1, 2)
    weights = np.exp(p[0]) / np.exp(p[0]).sum()
    total = 0.0
    for k in range(2):
        mean, error = centre / 127.5 - 1 + p[1:4, k] / 16, (x - centre) / 127.5
        mean[1] += p[7, k] * error[0]
        mean[2] += p[8, k] * error[0] + p[9, k] * error[1]
        sharpness = np.exp(-(p[4:7, k] - 4).clip(-7))
        ends = [(x / 127.5 - 1 + end / 255 - mean) * sharpness for end in (-1, 1)]
        lower, upper = (1 / (1 + np.exp(-end)) for end in ends)
        total += weights[k] * np.prod(upper - lower)
    assert float(found) == pytest.approx(np.log(total), abs=2e-3)


def test_far_tails_stay_finite_and_have_a_slope() -> None:
    parameters = torch.full((1, parameters_per_value(1, 1), 1, 1), -100.0).requires_grad_()  # of least scale
    levels = torch.tensor([0.0, 10.0, 250.0, 255.0]).view(1, 1, 1, -1)
    logs = log_probability(levels, torch.full_like(levels, 128.0), parameters, largest=255)
    logs.sum().backward()
    assert bool(logs.isfinite().all())
    assert parameters.grad is not None
    assert bool(parameters.grad.isfinite().all())


def tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).float().view(1, 3, 1, 1)
