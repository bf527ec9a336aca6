"""Charts as SVG for a page of HTML, whose style sheet gives the colours: so they follow a dark page and print well.

A series is drawn in the colour of its class: `s0`, `s1`, … with `thick`, `dashed`, `noisy` beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from vqc.drawing.curves import spread
from vqc.drawing.scales import Scale

WIDTH, HEIGHT = 380, 280
LEFT, RIGHT, TOP, BOTTOM = 46, 102, 12, 44  # margins; names of series stand in the right one
LINE = 14  # height of a label
LETTERS = 17  # that fit the right margin


class Spot(NamedTuple):
    """A point; what is said of it when it is pointed at; half of the height of its interval."""

    x: float
    y: float
    tip: str = ""
    error: float = 0.0


class Series(NamedTuple):
    """A line through spots. `style` are names of classes."""

    label: str
    spots: Sequence[Spot]
    style: str = "s0"
    dots: bool = True


def chart(series: Sequence[Series], x: Scale, y: Scale, x_label: str, title: str, level: float | None = None) -> str:
    """An `<svg>` with axes, the series and their names to the right. `title` is what is read aloud."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="chart" role="img" aria-label="{escape(title)}">',
        *_axes(x, y, x_label),
    ]
    if level is not None:
        height = _down(y, level)
        parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
    parts += [_drawn(one, x, y) for one in reversed(series)]  # the first on top
    parts += [*_names(series, x, y), "</svg>"]
    return "".join(parts)


def _axes(x: Scale, y: Scale, x_label: str) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in y.ticks:
        height = _down(y, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{height + 4}" text-anchor="end">{_plain(tick)}</text>')
    for tick in x.ticks:
        place = _across(x, tick)
        parts.append(f'<line class="tick" x1="{place}" x2="{place}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{place}" y="{bottom + 17}" text-anchor="middle">{_plain(tick)}</text>')
    middle = (LEFT + right) / 2
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    return [*parts, f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>']


def _drawn(series: Series, x: Scale, y: Scale) -> str:
    places = [(_across(x, spot.x), _down(y, spot.y)) for spot in series.spots]
    path = "M" + "L".join(f"{across:g},{down:g}" for across, down in places)
    parts = [f'<g class="series {series.style}"><path d="{path}"/>']
    for spot, (across, down) in zip(series.spots, places, strict=True):
        if spot.error and y.kind != "log":
            ends = (_down(y, min(spot.y + spot.error, y.high)), _down(y, max(spot.y - spot.error, y.low)))
            parts.append(f'<line class="error" x1="{across}" x2="{across}" y1="{ends[0]}" y2="{ends[1]}"/>')
        if series.dots:
            tip = f"<title>{escape(spot.tip)}</title>" if spot.tip else ""
            parts.append(f'<circle cx="{across}" cy="{down}" r="3.5">{tip}</circle>')
    return "".join([*parts, "</g>"])


def _names(series: Sequence[Series], x: Scale, y: Scale) -> list[str]:
    """Every name beside the end of its line, no two on top of each other."""
    ends = [one.spots[-1] for one in series]
    heights = spread([-_down(y, spot.y) for spot in ends], LINE)
    low = TOP + 4 + max(heights, default=0)  # of the uppermost label, which must not leave the picture
    heights = [height - max(0, low) for height in heights]
    parts, right = [], WIDTH - RIGHT + 8
    for one, spot, height in zip(series, ends, heights, strict=True):
        shown = one.label if len(one.label) <= LETTERS else one.label[: LETTERS - 1] + "…"
        across, down = _across(x, spot.x), _down(y, spot.y)
        parts.append(
            f'<line class="leader {one.style}" x1="{across}" y1="{down}" x2="{right - 2}" y2="{-height:.1f}"/>'
        )
        parts.append(f'<text class="name {one.style}" x="{right}" y="{4 - height:.1f}">{escape(shown)}</text>')
    return parts


def _across(x: Scale, value: float) -> float:
    return round(LEFT + x.place(value) * (WIDTH - LEFT - RIGHT), 1)


def _down(y: Scale, value: float) -> float:
    return round(HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM), 1)


def _plain(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:,g}k"
    if value and abs(value) < 1e-4:
        return f"{value:.0e}".replace("e-0", "e−")
    return f"{value:.6g}".replace("-", "−")
