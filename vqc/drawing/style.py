"""Style of all figures: fonts, colours, the caption, and the one way they are written.

matplotlib comes with the extra `eval` and is imported inside functions; `pyplot`, which opens windows, never is.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vqc._distribution import needs_extra
from vqc.atomic import write_atomically
from vqc.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with every kind of colour vision.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
)  # fmt: skip
RUNS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
TRAINING, VALIDATION = BLUE, VERMILION
INK, FAINT = "#333333", "#999999"
DPI = 150
FONT_SIZE = 10.0

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so a figure is the same everywhere
    "font.size": FONT_SIZE,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "text.parse_math": False,  # a dollar sign in the name of a folder is a dollar sign
}


def require_matplotlib() -> None:
    """MissingPackageError: matplotlib is not installed."""
    with needs_extra("eval", "figures need matplotlib, which is not installed", MissingPackageError):
        import matplotlib  # noqa: F401


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of this project, whatever the user's own matplotlib settings are.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box; no reason to stop
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def wrapped(caption: str, width: float, size: float = FONT_SIZE) -> str:
    """The caption in lines that fit `width` inches of type of this size, whose letters are about 0.52 em wide."""
    letters = max(20, int(width * 72 / (0.52 * size)))
    return "\n".join(textwrap.fill(line, letters) for line in caption.splitlines())


def add_caption(figure: Figure, caption: str) -> None:
    """The caption below everything, where a constrained layout makes room for it."""
    text = wrapped(caption, figure.get_figwidth() - 0.2)
    figure.supxlabel(text, x=0.1 / figure.get_figwidth(), ha="left", fontsize=FONT_SIZE, color=INK)


def readable_scale(axes: Axes, values: list[float]) -> None:
    """A logarithmic scale where the values span more than a factor of four, with plain numbers as labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if not values or min(values) <= 0 or max(values) < 4 * min(values):
        axes.yaxis.set_major_locator(MaxNLocator(5))
        return
    axes.set_yscale("log")
    decades = max(values) / min(values) > 300
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


class Drawing(NamedTuple):
    """A figure, the PNG that it belongs in, and its caption, which stands in the file's description as well."""

    path: Path
    figure: Figure
    caption: str

    def save(self, *, overwrite: bool = False) -> Path:
        """Write the PNG, whole or not at all; its folder is made.

        Raises:
            OutputError: the file is there (and `overwrite` is not set), or cannot be written.
        """
        data = io.BytesIO()
        with house_style():
            metadata = {"Description": self.caption, "Software": "vqc"}
            self.figure.savefig(data, format="png", dpi=DPI, metadata=metadata)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, data.getvalue(), overwrite=overwrite)
        return self.path
