"""Bjøntegaard deltas against published values and another implementation."""

import math

import numpy as np
import pytest

from vqc.metrics.bjontegaard import bd_rate

# (kbps, dB) of two codecs, and the BD-rate in percent: examples of the spreadsheet of JCTVC-L1100 (HM common test
# conditions), as Netflix's VMAF tests its own implementation with them.
PUBLISHED = [
    (
        [(108048.8736, 43.6471), (61279.976, 40.3953), (33905.6656, 37.247), (18883.6928, 34.2911)],
        [(108061.2784, 43.6768), (61299.9936, 40.4232), (33928.7472, 37.2761), (18910.912, 34.3147)],
        -0.465215420752807,
    ),
    (
        [(40433.8848, 37.5761), (7622.7456, 35.3756), (2394.488, 33.8977), (1017.6184, 32.0603)],
        [(40370.12, 37.5982), (7587.0024, 35.4025), (2390.0944, 33.9194), (1017.0984, 32.0822)],
        -1.8779823450567612,
    ),
]


@pytest.mark.parametrize(("anchor", "codec", "percent"), PUBLISHED)
def test_published_values(anchor: list[tuple[float, float]], codec: list[tuple[float, float]], percent: float) -> None:
    found = bd_rate(*zip(*anchor, strict=True), *zip(*codec, strict=True))
    assert found == pytest.approx(percent, abs=0.01)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("points", [2, 3, 4, 8])
def test_agrees_with_another_implementation(seed: int, points: int) -> None:
    import bjontegaard  # here, as it imports SciPy

    rng = np.random.default_rng(seed)
    anchor, codec = (
        (np.cumprod(rng.uniform(1.1, 2.0, n)) * 0.05, 25 + np.linspace(0, 9, n) + rng.uniform(0, 1, n))
        for n in (points, 4)
    )
    curves = [values.tolist() for values in (*anchor, *codec)]
    options = {"method": "pchip", "min_overlap": 0, "require_matching_points": False}
    assert bd_rate(*curves) == pytest.approx(bjontegaard.bd_rate(*anchor, *codec, **options), abs=1e-6)


def test_half_the_rate_is_minus_fifty_percent() -> None:
    rates, scores = [0.1, 0.2, 0.5, 1.1], [25.0, 28.0, 31.0, 36.0]
    assert bd_rate(rates, scores, [rate / 2 for rate in rates], scores) == pytest.approx(-50)


def test_the_order_of_the_points_and_wasteful_points_do_not_matter() -> None:
    rates, scores, other = [0.1, 0.2, 0.5, 1.1], [25.0, 28.0, 31.0, 36.0], ([0.1, 0.4, 0.9], [24.0, 30.0, 35.0])
    plain = bd_rate(*other, rates, scores)
    assert plain is not None
    assert bd_rate(*other, rates[::-1], scores[::-1]) == plain
    assert bd_rate(*other, [*rates, 0.6, 0.2], [*scores, 30.5, 27.0]) == plain


@pytest.mark.parametrize(
    ("rates", "scores"), [([1, 2], [50, 60]), ([1, 2], [10, 20]), ([1], [30]), ([], []), ([1, 2], [36, 40])]
)
def test_curves_without_common_scores_are_not_compared(rates: list[float], scores: list[float]) -> None:
    assert bd_rate([0.1, 0.2, 0.5], [25, 28, 36], rates, scores) is None


def test_a_wide_gap_is_no_infinity() -> None:
    found = bd_rate([0.1, 0.2, 0.5], [25, 28, 31], [10, 20, 50], [25, 28, 31])
    assert found is not None
    assert math.isclose(found, 9_900)
