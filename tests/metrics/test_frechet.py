"""The Fréchet distance of normal distributions against its formula."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.metrics.frechet import frechet_distance


def features(count: int = 4_000, dims: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dims))


def test_of_the_same_set_it_is_zero_and_of_a_moved_one_the_square_of_the_way() -> None:
    a = features()
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.array([3, 0, 4, 0, 0])) == pytest.approx(25)


def test_of_scaled_and_turned_sets() -> None:
    a = features()
    a -= a.mean(0)
    trace = np.trace(np.cov(a, rowvar=False))
    assert frechet_distance(a, 3 * a) == pytest.approx(4 * trace)  # (3 - 1)^2
    turn, _ = np.linalg.qr(features(5))
    b = a * [1, 2, 3, 4, 5]
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_a_single_item_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="two items or more"):
        frechet_distance(features(1), features())


def test_fewer_items_than_dimensions_are_no_error() -> None:
    assert frechet_distance(features(4, 20), features(6, 20, seed=1)) > 0
