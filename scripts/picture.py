"""The picture of the README: an original, JPEG and vqc in as many bytes, whole and enlarged.

    python scripts/picture.py examples/photo.jpg docs/comparison.png [--quality 4]

JPEG (Pillow, 4:2:0, progressive, optimized) gets the lowest quality setting whose file is not smaller than vqc's.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import vqc

_DETAIL = 0.22  # of the width and height, shown enlarged
_GAP, _CAPTION = 8, 26


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--quality", type=int, default=4)
    parser.add_argument("--detail", type=float, nargs=2, default=(0.5, 0.4), help="centre of the detail, 0 to 1")
    arguments = parser.parse_args()
    original = Image.open(arguments.source).convert("RGB")
    data = vqc.compress(original, quality=arguments.quality)
    restored = Image.fromarray(vqc.decompress(data).array)
    jpeg = next(j for q in range(1, 96) if len(j := _jpeg(original, q)) >= len(data))
    panels = [
        (original, f"original, {arguments.source.stat().st_size:,} bytes"),
        (Image.open(io.BytesIO(jpeg)), f"JPEG, {len(jpeg):,} bytes"),
        (restored, f"vqc -q {arguments.quality}, {len(data):,} bytes"),
    ]
    sheet = _sheet(panels, arguments.detail)
    arguments.target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.target, optimize=True)
    print("; ".join(caption for _, caption in panels))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, progressive=True, optimize=True)
    return buffer.getvalue()


def _sheet(panels: list[tuple[Image.Image, str]], centre: tuple[float, float]) -> Image.Image:
    """Panels side by side: caption, the whole picture at half size, a detail enlarged to the same width."""
    width, height = panels[0][0].width // 2, panels[0][0].height // 2
    detail_width, detail_height = int(panels[0][0].width * _DETAIL), int(panels[0][0].height * _DETAIL)
    left = int(centre[0] * panels[0][0].width) - detail_width // 2
    top = int(centre[1] * panels[0][0].height) - detail_height // 2
    sheet = Image.new("RGB", (3 * width + 2 * _GAP, _CAPTION + 2 * height + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (image, caption) in enumerate(panels):
        x = i * (width + _GAP)
        draw.text((x + 2, 4), caption, fill="black", font=font)
        sheet.paste(image.resize((width, height), Image.Resampling.LANCZOS), (x, _CAPTION))
        crop = image.crop((left, top, left + detail_width, top + detail_height))
        enlarged = crop.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (x, _CAPTION + height + _GAP))
    return sheet


if __name__ == "__main__":
    main()
