"""Means and their intervals, against tables and scipy."""

import pytest

from vqc.metrics.intervals import estimate_mean, estimate_share, t_quantile


def test_a_known_sample() -> None:
    """Nine values with mean 5 and sample variance 7.5; t of 8 degrees is 2.306."""
    assert estimate_mean([1, 2, 3, 4, 5, 6, 7, 8, 9]) == pytest.approx((5, 2.3060 * (7.5 / 9) ** 0.5))


def test_one_value_has_no_interval() -> None:
    assert estimate_mean([3.5]) == (3.5, 0)


@pytest.mark.parametrize("degrees", [1, 2, 7, 20, 21, 22, 29, 60, 999])
def test_quantiles_of_t(degrees: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-5)


def test_shares_have_an_interval_even_when_all_succeed() -> None:
    """Wilson's interval of 8 in 10 is 0.490 to 0.943; that of n in n begins at n / (n + z²)."""
    assert estimate_share([True] * 8 + [False] * 2) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert estimate_share([True] * 60) == pytest.approx((1, 60 / (60 + 1.959964**2), 1))
    assert estimate_share([False] * 4) == pytest.approx((0, 0, 1 - 4 / (4 + 1.959964**2)))
