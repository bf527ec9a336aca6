"""Curves: their means, and the names at their ends."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.drawing.curves import SMOOTHED_FROM, running_mean, spread


@pytest.mark.parametrize("heights", [[0.1, 0.5, 0.9], [0.5, 0.5, 0.5], [0.9, 0.1, 0.11, 0.3, 0.12]])
def test_labels_move_as_little_as_keeps_them_apart(heights: list[float]) -> None:
    moved = spread(heights, 0.1)
    assert np.diff(sorted(moved)).min() >= 0.1 - 1e-9
    assert np.argsort(moved, stable=True).tolist() == np.argsort(heights, stable=True).tolist()
    assert sum(moved) == pytest.approx(sum(heights))
    if np.diff(sorted(heights)).min() >= 0.1:
        assert moved == pytest.approx(heights)


def test_a_running_mean_takes_the_noise_and_leaves_the_slope() -> None:
    slope = [3.0 * i for i in range(200)]
    noise = [(-1.0) ** i for i in range(200)]
    smooth = running_mean([a + b for a, b in zip(slope, noise, strict=True)])
    assert smooth[20:180] == pytest.approx(slope[20:180], abs=0.1)
    assert running_mean(noise[: SMOOTHED_FROM - 1]) == noise[: SMOOTHED_FROM - 1]
