"""Axes hold their values at round ticks; charts show every point where it belongs."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from vqc.drawing.scales import Kind, scale_for, suits
from vqc.drawing.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Series, Spot, chart


@pytest.mark.parametrize(
    ("values", "kind", "ticks"),
    [
        ([0.0, 10.0], "linear", (0, 2, 4, 6, 8, 10)),
        ([23.6, 38.2], "linear", (24, 26, 28, 30, 32, 34, 36, 38)),
        ([0.06, 0.8], "log", (0.1, 0.2, 0.5)),
        ([1.0, 10_000_000.0], "log", (1, 100, 10_000, 1_000_000)),
        ([0.85, 0.992], "below one", (0.9, 0.95, 0.98, 0.99)),
        ([0.0, 5.0], "log", (0, 1, 2, 3, 4, 5)),
        ([0.9, 1.0], "below one", (0.9, 0.92, 0.94, 0.96, 0.98, 1.0)),
    ],
)
def test_ticks_are_round_and_inside(values: list[float], kind: Kind, ticks: tuple[float, ...]) -> None:
    scale = scale_for(values, kind, most=8 if max(values) == 38.2 else 6)
    assert scale.ticks == pytest.approx(ticks)
    assert all(0 <= scale.place(value) <= 1 for value in (*values, *scale.ticks))


@pytest.mark.parametrize("kind", ["linear", "log", "below one"])
@pytest.mark.parametrize("values", [[], [0.0], [0.5, 0.5], [3.0], [-2.0, 7.0], [0.3, 0.30001], [1e-9, 1e9]])
def test_any_values_have_an_axis(values: list[float], kind: Kind) -> None:
    scale = scale_for(values, kind)
    assert 0 < len(scale.ticks) <= 7
    assert all(low < high for low, high in pairwise(scale.ticks))
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)


def test_equal_factors_are_equal_distances_on_a_logarithmic_axis() -> None:
    scale = scale_for([1.0, 100.0], "log")
    assert scale.place(10) - scale.place(1) == pytest.approx(scale.place(100) - scale.place(10))
    near = scale_for([0.9, 0.999], "below one")
    assert near.place(0.99) - near.place(0.9) == pytest.approx(near.place(0.999) - near.place(0.99))


def test_an_axis_is_logarithmic_from_a_factor_of_four_on() -> None:
    assert suits([1.0, 4.1]) == "log"
    assert suits([1.0, 3.9]) == suits([0.0, 9.0]) == suits([]) == "linear"


def test_points_stand_where_their_values_are_and_say_what_they_mean() -> None:
    series = [Series("a < b", [Spot(0, 0, "the first"), Spot(10, 5, error=1)]), Series("other", [Spot(5, 5)], "s1")]
    scale = scale_for([0.0, 10.0], "linear", margin=0)
    drawn = ElementTree.fromstring(chart(series, scale, scale, "rate", "a chart", level=5))
    circles = {(float(c.attrib["cx"]), float(c.attrib["cy"])): c for c in drawn.iter("circle")}
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    assert set(circles) == {
        (LEFT, HEIGHT - BOTTOM),
        (WIDTH - RIGHT, middle),
        (LEFT + (WIDTH - LEFT - RIGHT) / 2, middle),
    }
    assert circles[LEFT, HEIGHT - BOTTOM][0].text == "the first"
    (error,) = (line for line in drawn.iter("line") if line.attrib["class"] == "error")
    height = (HEIGHT - TOP - BOTTOM) / 10
    assert [float(error.attrib[end]) for end in ("y1", "y2")] == pytest.approx([middle - height, middle + height])


def test_names_never_stand_on_each_other_nor_outside() -> None:
    series = [Series(f"a long name of a codec {i}", [Spot(1, 10), Spot(2, 10 - i / 100)]) for i in range(12)]
    drawn = chart(series, scale_for([1.0, 2.0], "linear"), scale_for([10.0, 9.9], "linear"), "x", "y")
    heights = sorted(float(y) for y in re.findall(r'class="name s0" x="[\d.]+" y="([-\d.]+)"', drawn))
    assert len(heights) == 12
    assert min(b - a for a, b in pairwise(heights)) > 13
    assert heights[0] > TOP
    assert heights[-1] < HEIGHT
