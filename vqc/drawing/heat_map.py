"""A picture of where the bits of an image go: a PNG beside the `.vqc` file.

Under a title the blocks of the image in colours from dark (no bits) to bright, a bar of the colours with their scale,
and the image itself, to see what the bits are for. Where photos lie in folders such pictures must not be taken for
photos: each carries a mark in its text.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from vqc.atomic import Target

SUFFIX = ".bits.png"

_MARK = "map of bits by vqc compress --explain"
_MARK_BYTES = 256  # at the front of a file, in which the mark is
# Nine colours of viridis (CC0): equal steps look equal, in print and to the colour-blind as well.
_VIRIDIS = ((68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
            (170, 220, 50), (253, 231, 37))  # fmt: skip
_BRIGHTEST = 0.995  # quantile: one block of many that is far above all others must not darken the picture
_LEVELS = 254  # of 256 colours in a palette
_PAPER, _INK = 254, 255
_FONT_PIXELS = range(10, 65)
_SHORTEST_BAR = 24  # pixels; below, there is no room for words
_LARGEST = 2048  # pixels of a side: larger images are drawn at a half, a third, … of their size


Font = PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont


def heat_map_path(target: Target) -> Path | None:
    """The map that belongs to a `.vqc` file; None when that is a device or a pipe, beside which nothing lies."""
    path = Path(target)
    if path.exists() and not path.is_file():
        return None
    return path.with_name(path.name.removesuffix(".vqc") + SUFFIX)


def is_heat_map(path: Path) -> bool:
    """Return whether a file is such a map; False also when it cannot be read."""
    if not path.name.endswith(SUFFIX):
        return False
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(_MARK_BYTES)
    except OSError:
        return False


def draw_heat_map(
    per_pixel: NDArray[np.float64],
    block: int,
    height: int,
    width: int,
    *,
    title: str = "",
    pixels: NDArray[np.uint8] | None = None,
) -> bytes:
    """The PNG of bits per pixel [h, w] of blocks of an image of `height` x `width` pixels, a bar of the colours below.

    Args:
        title: stands above, where there is room for it.
        pixels: the image, uint8 [H, W, 3] or [H, W], to stand at the bottom.
    """
    brightest = float(np.quantile(per_pixel, _BRIGHTEST, method="higher"))
    levels = np.round(per_pixel * ((_LEVELS - 1) / brightest if brightest else 0)).clip(0, _LEVELS - 1)
    blocks = levels.astype(np.uint8).repeat(block, 0).repeat(block, 1)[:height, :width]
    shrink = -(-max(height, width) // _LARGEST)
    drawn, width = PIL.Image.fromarray(blocks[::shrink, ::shrink]), -(-width // shrink)
    legend = _legend(width, f"{brightest:.3g}{'+' * bool(per_pixel.max() > brightest)} bits per pixel")
    canvas = _stacked("L", width, [*_heading(width, title), drawn, legend])
    canvas.putpalette(_palette())  # grays become numbers of colours
    if pixels is not None:
        canvas = _stacked("RGB", width, [canvas, PIL.Image.fromarray(pixels).reduce(shrink)])
    text = PngInfo()
    text.add_text("Comment", _MARK)
    file = io.BytesIO()
    canvas.save(file, "PNG", pnginfo=text, compress_level=3)
    return file.getvalue()


def _stacked(mode: str, width: int, images: list[PIL.Image.Image]) -> PIL.Image.Image:
    """The images below each other."""
    canvas = PIL.Image.new(mode, (width, sum(image.height for image in images)))
    top = 0
    for image in images:
        canvas.paste(image.convert(mode) if image.mode != mode else image, (0, top))
        top += image.height
    return canvas


def _font(width: int) -> tuple[int, Font]:
    """A font that fits images of this width, and its size in pixels."""
    size = min(max(width // 48, _FONT_PIXELS.start), _FONT_PIXELS.stop - 1)
    return size, PIL.ImageFont.load_default(size if PIL.features.check("freetype2") else None)


def _heading(width: int, title: str) -> list[PIL.Image.Image]:
    """The title in numbers of colours; nothing where there is none, or no room for it."""
    size, font = _font(width)
    if not title or font.getlength(title) + size > width:
        return []
    image = PIL.Image.new("L", (width, 2 * size), _PAPER)
    draw = PIL.ImageDraw.Draw(image)
    draw.fontmode = "1"  # not smoothed: between ink and paper there are no colours
    draw.text((size // 2, size // 2), title, _INK, font)
    return [image]


def _legend(width: int, most: str) -> PIL.Image.Image:
    """0 ▬▬▬▬ most, in numbers of colours; of narrow images the bar alone."""
    size, font = _font(width)
    image = PIL.Image.new("L", (width, 2 * size), _PAPER)
    draw = PIL.ImageDraw.Draw(image)
    draw.fontmode = "1"
    left, right = size + round(font.getlength("0")), width - size - round(font.getlength(most))
    if right - left < _SHORTEST_BAR:
        left, right = 0, width
    else:
        draw.text((size // 2, size // 2), "0", _INK, font)
        draw.text((right + size // 2, size // 2), most, _INK, font)
    bar = np.linspace(0, _LEVELS - 1, right - left).round().astype(np.uint8)
    image.paste(PIL.Image.fromarray(np.tile(bar, (size, 1))), (left, size // 2))
    return image


def _palette() -> list[int]:
    anchors = np.array(_VIRIDIS, np.float64)
    at = np.linspace(0, len(anchors) - 1, _LEVELS)
    colours = np.stack([np.interp(at, np.arange(len(anchors)), anchor) for anchor in anchors.T], 1)
    return [*colours.round().astype(int).ravel().tolist(), 255, 255, 255, 0, 0, 0]
