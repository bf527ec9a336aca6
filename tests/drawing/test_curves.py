"""Curves: their means, and the names at their ends."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.drawing.curves import SMOOTHED_FROM, Line, Panel, draw_panels, running_mean, spread
from vqc.drawing.style import house_style


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


def test_no_leader_line_crosses_a_name() -> None:
    """Curves that end in one place have their names above each other; lines lead from the names to the curves."""
    text = pytest.importorskip("matplotlib.text")
    ends = {"training": 0.30, "validation": 0.31, "another run": 0.305, "one more": 0.295}
    lines = [Line(name, "black", [0.0, 1.0], [2.0, end], noisy=False) for name, end in ends.items()]
    with house_style():
        figure = draw_panels([Panel("Loss", lines)], "epoch", "")
        figure.draw_without_rendering()
        names = [each for each in figure.axes[0].texts if isinstance(each, text.Annotation)]
        boxes = {name.get_text(): text.Text.get_window_extent(name) for name in names}  # without its line
        assert len(boxes) == len(ends)
        for name in names:
            assert name.arrow_patch is not None
            path = name.arrow_patch.get_transform().transform_path(name.arrow_patch.get_path())
            for other, box in boxes.items():
                points = path.interpolated(200).vertices
                assert not any(box.contains(x, y) for x, y in points), f"the line of {name.get_text()} crosses {other}"
