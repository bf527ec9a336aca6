"""Originals beside what a model makes of them: images as a grid, audio as waveforms and spectrograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.drawing.sounds import WINDOW_SECONDS, decibels
from vqc.drawing.style import BLUE, DPI, FONT_SIZE, INK, VERMILION, Drawing, add_caption, house_style, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGES, CLIPS = 16, 3  # at most in a figure
# Pixels. Images up to LARGE are shown enlarged in cells of about SMALL_CELL, others in those of LARGE_CELL.
LARGE, SMALL_CELL, LARGE_CELL = 128, 120, 248
LEFT, GAP, LINE, NARROWEST = 110, 8, 24, 640  # the names of the rows, between images, a line of text, the figure
DYNAMIC_RANGE = 70  # dB of a spectrogram


def draw_reconstructions(
    images: Sequence[Tensor] | Tensor, restored: Sequence[Tensor] | Tensor, path: Path, caption: str
) -> Drawing:
    """Draw up to 16 images, every reconstruction below its original, and its PSNR below that.

    Args:
        images: [N, 3, H, W], or images [3, H, W] or [1, 3, H, W] of any sizes; in [0, 1].
        restored: the same shapes.
        path: of the PNG.
        caption: what the model was trained on, and how long.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    pairs = [(_image(x), _image(y)) for x, y in zip(images, restored, strict=True)][:IMAGES]
    with house_style():
        return Drawing(path, _image_grid(pairs, caption), caption)


def draw_waveforms(
    waveforms: Sequence[Tensor] | Tensor,
    restored: Sequence[Tensor] | Tensor,
    path: Path,
    caption: str,
    *,
    sample_rate: int,
) -> Drawing:
    """Draw up to 3 clips: waveforms and spectrograms, the original above the reconstruction.

    Args:
        waveforms: [N, T], or clips [T] or [1, T] of any lengths; in [-1, 1].
        restored: the same shapes.
        path: of the PNG.
        caption: what the model was trained on, and how long.
        sample_rate: samples per second.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    pairs = [(_clip(x), _clip(y)) for x, y in zip(waveforms, restored, strict=True)][:CLIPS]
    with house_style():
        return Drawing(path, _clips(pairs, sample_rate, caption), caption)


def psnr(original: Tensor, restored: Tensor) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in dB."""
    mse = float((original - restored).double().square().mean())
    return -10 * math.log10(mse) if mse else math.inf


def snr(original: Tensor, restored: Tensor) -> float:
    """Power of the original over that of the error, in dB."""
    power, error = float(original.double().square().sum()), float((original - restored).double().square().sum())
    return 10 * math.log10(power / error) if power and error else (math.inf if power else -math.inf)


def _clip(clip: Tensor) -> Tensor:
    return clip.reshape(-1).detach().cpu().float()


def _image(image: Tensor) -> Tensor:
    return image.reshape(image.shape[-3:]).detach().cpu().float().clamp(0, 1)


def _image_grid(pairs: Sequence[tuple[Tensor, Tensor]], caption: str) -> Figure:
    """Laid out in whole pixels, so that small images are enlarged with sharp edges, and equally::

             ┌────┐ ┌────┐ ┌────┐
    original │    │ │    │ │    │
             └────┘ └────┘ └────┘
             ┌────┐ ┌────┐ ┌────┐
    restored │    │ │    │ │    │
             └────┘ └────┘ └────┘
             27.1 dB ...            ×  as many of these bands as it takes
    """
    from matplotlib.figure import Figure

    side = max(max(x.shape) for x, _ in pairs)
    columns, cell = (8, side * max(1, round(SMALL_CELL / side))) if side <= LARGE else (4, LARGE_CELL)
    columns = min(len(pairs), columns)
    tall = max(_shrunk(x, cell)[1] for x, _ in pairs)
    band = 2 * (tall + GAP) + LINE + 2 * GAP
    width = max(NARROWEST, LEFT + columns * (cell + GAP))
    text = wrapped(caption, (width - 2 * GAP) / DPI)
    height = GAP + math.ceil(len(pairs) / columns) * band + LINE * (text.count("\n") + 1) + GAP
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for index, pair in enumerate(pairs):
        left, top = LEFT + index % columns * (cell + GAP), GAP + index // columns * band
        for row, image in enumerate(pair):
            _place(figure, image, left, top + row * (tall + GAP), (cell, tall))
        _write(figure, f"{psnr(*pair):.1f} dB", left + cell / 2, top + 2 * (tall + GAP), ha="center", va="top")
        for row, name in enumerate(("original", "restored") if index % columns == 0 else ()):
            _write(figure, name, LEFT - GAP, top + row * (tall + GAP) + tall / 2, ha="right", va="center")
    _write(figure, text, GAP, height - GAP, ha="left", va="bottom")
    return figure


def _shrunk(image: Tensor, cell: int) -> tuple[int, int]:
    """Width and height in pixels of an image whose longer side is `cell`."""
    h, w = image.shape[1:]
    return max(1, round(w * cell / max(h, w))), max(1, round(h * cell / max(h, w)))


def _place(figure: Figure, image: Tensor, left: int, top: int, cell: tuple[int, int]) -> None:
    w, h = _shrunk(image, cell[0])
    width, height = figure.bbox.size
    left, bottom = left + (cell[0] - w) // 2, round(height) - top - (cell[1] - h) // 2 - h
    axes = figure.add_axes((left / width, bottom / height, w / width, h / height))
    axes.set_axis_off()
    enlarged = w >= image.shape[2]
    axes.imshow(image.permute(1, 2, 0).numpy(), aspect="auto", interpolation="nearest" if enlarged else "antialiased")


def _write(figure: Figure, text: str, x: float, y: float, *, ha: str, va: str) -> None:
    """Text at pixels counted from the top left corner."""
    width, height = figure.bbox.size
    figure.text(x / width, 1 - y / height, text, ha=ha, va=va, fontsize=FONT_SIZE, color=INK, linespacing=1.15)


def _clips(pairs: Sequence[tuple[Tensor, Tensor]], sample_rate: int, caption: str) -> Figure:
    from matplotlib.figure import Figure

    width = 7.2 if len(pairs) < 3 else 9.6
    figure = Figure(figsize=(width, 7.2), layout="constrained")
    rows = figure.subplots(4, len(pairs), squeeze=False, sharex="col", height_ratios=(1, 1, 1.5, 1.5))
    for column, (original, restored) in enumerate(pairs):
        peak = 1.05 * max(float(original.abs().max()), float(restored.abs().max()), 1e-3)
        top = float(_spectrogram(original, sample_rate).max())
        for row, (clip, name, colour) in enumerate(((original, "original", BLUE), (restored, "restored", VERMILION))):
            title = name if row == 0 else f"{name}, SNR {snr(original, restored):.1f} dB".replace("-", "−")
            _draw_waveform(rows[row, column], clip, sample_rate, colour, peak)
            rows[row, column].set_title(title, color=colour)
            _draw_spectrogram(rows[2 + row, column], clip, sample_rate, top)
            rows[2 + row, column].set_title(name, color=colour)
        rows[3, column].set_xlabel("seconds")
    for row, label in ((0, "amplitude"), (1, "amplitude"), (2, "kHz"), (3, "kHz")):
        rows[row, 0].set_ylabel(label)
    add_caption(figure, f"{caption}\nSpectrograms span {DYNAMIC_RANGE} dB, up to the loudest point of the original.")
    return figure


def _draw_waveform(axes: Axes, clip: Tensor, sample_rate: int, colour: str, peak: float) -> None:
    """Lowest and highest sample of every thousandth of the clip, which is all that a plot of this size can show."""
    step = max(1, len(clip) // 1000)
    pieces = clip[: len(clip) // step * step].view(-1, step)
    low, high = pieces.amin(1), pieces.amax(1)
    if step > 1:  # neighbours meet, as the line through all samples would
        low[1:], high[1:] = torch.minimum(low[1:], high[:-1]), torch.maximum(high[1:], low[:-1])
    seconds = torch.arange(len(pieces)) * step / sample_rate
    axes.fill_between(seconds.numpy(), low.numpy(), high.numpy(), color=colour, linewidth=0.6)
    axes.set_ylim(-peak, peak)
    axes.set_xlim(0, len(clip) / sample_rate)


def _draw_spectrogram(axes: Axes, clip: Tensor, sample_rate: int, top: float) -> None:
    axes.imshow(
        _spectrogram(clip, sample_rate),
        origin="lower",
        aspect="auto",
        cmap="magma",  # even steps in brightness, readable without colour vision
        vmin=top - DYNAMIC_RANGE,
        vmax=top,
        extent=(0, len(clip) / sample_rate, 0, sample_rate / 2000),
    )
    axes.grid(visible=False)


def _spectrogram(clip: Tensor, sample_rate: int) -> NDArray[np.float64]:
    """Levels [bins, frames] in dB, a frame for every quarter of a window, or fewer of long clips."""
    hop = max(1, round(WINDOW_SECONDS * sample_rate) // 4, len(clip) // 2000)
    return decibels(clip.numpy(), sample_rate, hop)
