"""The picture of the README: one photo as original, AVIF, WebP and vqc in as many bytes, whole and enlarged.

    python scripts/picture.py examples/photo.jpg docs/comparison.jpg [--quality 6]

Without --quality it is the model's default. AVIF and WebP are written as `vqc eval` writes them, at the lowest quality
setting whose file is not smaller than that of vqc.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import vqc
from vqc.evaluation.baselines.image_codecs import AVIF, WebP
from vqc.evaluation.items import Item

_PANEL = 300  # pixels wide
_DETAIL = 0.2  # of the width and height, shown enlarged
_GAP, _CAPTION = 8, 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--quality", type=int)
    parser.add_argument("--detail", type=float, nargs=2, default=(0.5, 0.4), help="centre of the detail, 0 to 1")
    arguments = parser.parse_args()
    original = Image.open(arguments.source).convert("RGB")
    data = vqc.compress(original, quality=arguments.quality)
    panels = [
        (original, f"original, {arguments.source.stat().st_size:,} bytes"),
        *(_as_large(codec, original, len(data)) for codec in (AVIF(), WebP())),
        (Image.fromarray(vqc.decompress(data).array), f"vqc, {len(data):,} bytes"),
    ]
    sheet = _sheet(panels, arguments.detail)
    arguments.target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.target, quality=92, subsampling="4:4:4", optimize=True)
    print("; ".join(caption for _, caption in panels))


def _as_large(codec: AVIF | WebP, original: Image.Image, size: int) -> tuple[Image.Image, str]:
    item = Item("original", np.asarray(original), sample_rate=None, bytes=0)
    at = bisect_left(codec.settings, size, key=lambda setting: len(codec.encode(item, setting)))
    setting = codec.settings[at]
    data = codec.encode(item, setting)
    return Image.fromarray(codec.decode(data, item, setting)), f"{codec.label}, {len(data):,} bytes"


def _sheet(panels: list[tuple[Image.Image, str]], centre: tuple[float, float]) -> Image.Image:
    """Panels side by side: caption, the whole picture, a detail enlarged to the same width."""
    whole = panels[0][0]
    width, height = _PANEL, round(_PANEL * whole.height / whole.width)
    detail_width, detail_height = int(whole.width * _DETAIL), int(whole.height * _DETAIL)
    left = int(centre[0] * whole.width) - detail_width // 2
    top = int(centre[1] * whole.height) - detail_height // 2
    sheet = Image.new("RGB", (len(panels) * (width + _GAP) - _GAP, _CAPTION + 2 * height + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (image, caption) in enumerate(panels):
        x = i * (width + _GAP)
        draw.text((x + 2, 3), caption, fill="black", font=font)
        sheet.paste(image.resize((width, height), Image.Resampling.LANCZOS), (x, _CAPTION))
        crop = image.crop((left, top, left + detail_width, top + detail_height))
        enlarged = crop.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (x, _CAPTION + height + _GAP))
    return sheet


if __name__ == "__main__":
    main()
