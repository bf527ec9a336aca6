"""Panels and names of the curves of a training run.

Curves go by the names under which a run logs its figures; those of validation begin with "val_".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from vqc.drawing.curves import Line, Panel
from vqc.drawing.style import RUNS, TRAINING, VALIDATION

TITLES = {
    "loss": "Loss",
    "mse": "Mean squared error",
    "l1": "Mean absolute error",
    "mel": "Mel distance",
    "stft": "Spectral distance",
    "psnr": "PSNR in dB",
    "snr": "Signal-to-noise ratio in dB",
    "bits_per_code": "Bits per code",
    "bits_per_dim": "Bits per dimension",
    "saving_percent": "Percent below the static tables",
    "perplexity": "Perplexity of the codes",
    "score": "Validation score (lower is better)",
}


class Curve(NamedTuple):
    """A figure over the steps or epochs of a run."""

    x: list[float]
    y: list[float]


Curves = Mapping[str, Curve]


def loss_panels(curves: Curves) -> list[Panel]:
    """The training loss, what training and validation both measure, and the validation score if it is another one."""
    shared = [key for key in ranked(curves) if f"val_{key}" in curves and "perplexity" not in key]
    if "mse" in shared:  # says the same as its decibels, and is what training lowers
        shared = [key for key in shared if key not in {"psnr", "snr"}]
    shared = shared[:2]
    singles = [key for key in ("loss", "val_score") if key.removeprefix("val_") not in shared]
    if any(curves.get("val_score") == curves[f"val_{key}"] for key in shared):
        singles = [key for key in singles if key != "val_score"]
    panels = {key: _panel(curves, [key, f"val_{key}"]) for key in shared}
    panels |= {key: _panel(curves, [key]) for key in singles if key in curves}
    order = ["loss", *(key for key in shared if key != "loss"), "val_score"]
    return [panels[key] for key in order if key in panels]


def perplexity_panels(curves: Curves) -> list[Panel]:
    """Perplexity in training and validation, below the size of the codebook, a curve of its own if that changed."""
    keys = [key for key in ("perplexity", "val_perplexity") if key in curves]
    if not keys:
        return []
    panel = _panel(curves, keys)._replace(from_zero=True)
    sizes = curves.get("codebook_size", Curve([], []))
    if len(set(sizes.y)) > 1:
        line = Line("K, codes", RUNS[2], sizes.x, sizes.y, noisy=False)
        return [panel._replace(lines=[*panel.lines, line])]
    return [panel._replace(level=(sizes.y[-1], f"K = {sizes.y[-1]:,.0f} codes") if sizes.y else None)]


def title_of(key: str) -> str:
    """A curve for people: "PSNR in dB in validation"."""
    bare = key.removeprefix("val_")
    title = TITLES.get(bare, bare.replace("_", " ").capitalize())
    return title if bare == "score" else f"{title} in {'training' if bare == key else 'validation'}"


def ranked(keys: Collection[str]) -> list[str]:
    """Names of figures of training, those that have a title first."""
    order = list(TITLES)
    names = [key for key in keys if not key.startswith("val_") and key not in {"step", "minutes"}]
    return sorted(names, key=lambda key: (order.index(key) if key in order else len(order), key))


def _panel(curves: Curves, keys: Sequence[str]) -> Panel:
    lines = []
    for key in keys:
        label, colour = ("validation", VALIDATION) if key.startswith("val_") else ("training", TRAINING)
        lines.append(Line(label, colour, *curves[key], noisy=not key.startswith("val_")))
    return Panel(title_of(keys[0]).removesuffix(" in training"), lines)
