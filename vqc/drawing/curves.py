"""Curves over a run, panel under panel on one axis of epochs or steps, each named where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean as mean
from typing import TYPE_CHECKING, NamedTuple

from vqc.drawing.style import FAINT, add_caption, readable_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, PANEL_HEIGHT = 7.2, 2.5  # inches
LINE_HEIGHT = 15 / 72 / (0.8 * PANEL_HEIGHT)  # of a label, in heights of the axes, which fill that much of their panel
LEADER = {"arrowstyle": "-", "linewidth": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3}
SMOOTHED_FROM = 40  # with fewer points every one of them is worth a look


class Line(NamedTuple):
    """One curve; `noisy` ones are drawn thin with their running mean on top, others with a dot at every point."""

    label: str
    colour: str
    x: list[float]
    y: list[float]
    noisy: bool


class Panel(NamedTuple):
    """One diagram. `level` is a height worth a line of its own, and its name."""

    title: str
    lines: Sequence[Line]
    from_zero: bool = False
    level: tuple[float, str] | None = None


def draw_panels(panels: Sequence[Panel], x_label: str, caption: str) -> Figure:
    """The panels under each other. To be called in the house style."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * len(panels) + 0.7), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)  # type: ignore[union-attr,call-arg]
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        draw_panel(axes, panel)
        label_ends(axes, panel)
    rows[-1].set_xlabel(x_label)
    rows[-1].xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    rows[-1].xaxis.set_major_formatter(EngFormatter(sep="") if x_label == "step" else "{x:g}")
    add_caption(figure, caption)
    return figure


def draw_panel(axes: Axes, panel: Panel) -> None:
    """The curves of a panel on their axes, without the names."""
    axes.set_title(panel.title)
    for line in panel.lines:
        if line.noisy and len(line.x) >= SMOOTHED_FROM:
            axes.plot(line.x, line.y, color=line.colour, linewidth=0.7, alpha=0.3)
            axes.plot(line.x, running_mean(line.y), color=line.colour, linewidth=1.8)
        else:
            marker = "" if line.noisy and len(line.x) > 1 else "o"
            axes.plot(line.x, line.y, color=line.colour, linewidth=1.8, marker=marker, markersize=3.5)
    values = [value for line in panel.lines for value in line.y]
    if panel.level is not None:
        axes.axhline(panel.level[0], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        values.append(panel.level[0])
    if panel.from_zero:
        axes.set_ylim(0, 1.08 * max(values, default=1))
    else:
        readable_scale(axes, values)
    axes.margins(x=0.01)
    axes.set_xlim(left=0)


def label_ends(axes: Axes, panel: Panel) -> None:
    """Write the name and last value of every curve to its right, no two on top of each other."""
    labels = []
    for line in panel.lines:
        end = (running_mean(line.y) if line.noisy else line.y)[-1]
        labels.append((line.x[-1], end, f"{line.label} {number(end)}", line.colour))
    if panel.level is not None:
        labels.append((axes.get_xlim()[1], *panel.level, "#666666"))
    axes.get_ylim()  # limits are settled when they are asked for
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform((x, y))[1]) for x, y, *_ in labels]
    for (x, y, text, colour), height in zip(labels, spread(heights, LINE_HEIGHT), strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(1.02, height),
            textcoords="axes fraction",
            color=colour,
            va="center",
            annotation_clip=False,
            # From the left edge of the name: from its middle, the line could cross the name below or above.
            arrowprops={**LEADER, "color": colour, "relpos": (0, 0.5)},
        )


def spread(heights: Sequence[float], apart: float) -> list[float]:
    """The heights nearest to the given ones (least squares) that are at least `apart`, in the same order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    stacks: list[list[float]] = []  # labels that touch, each by where it would have the first of all labels be
    for place, i in enumerate(order):
        stack = [heights[i] - place * apart]
        while stacks and mean(stacks[-1]) > mean(stack):
            stack = stacks.pop() + stack
        stacks.append(stack)
    bases = [mean(stack) for stack in stacks for _ in stack]
    moved = {i: bases[place] + place * apart for place, i in enumerate(order)}
    return [moved[i] for i in range(len(heights))]


def running_mean(values: Sequence[float]) -> list[float]:
    """Mean over a centred window of a fifteenth of the run, narrower at the start, where curves are steep.

    Few values are left as they are.
    """
    if len(values) < SMOOTHED_FROM:
        return list(values)
    reach = len(values) // 30
    sums = [0.0, *accumulate(values)]
    ends = [(max(0, i - min(reach, i)), min(len(values), i + min(reach, i) + 1)) for i in range(len(values))]
    return [(sums[end] - sums[start]) / (end - start) for start, end in ends]


def number(value: float) -> str:
    """Three significant digits."""
    return (f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}").replace("-", "−")
