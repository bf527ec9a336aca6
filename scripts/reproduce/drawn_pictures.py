#!/usr/bin/env python3
"""Ten pictures each of graphics, screens, text and line art, drawn by Pillow; and ten photos of people.

    python scripts/reproduce/drawn_pictures.py FOLDER [--people PHOTOS2]

The same on every machine with the same Pillow, whose own font is used. 640 x 400 pixels each, in FOLDER/CLASS/N.png.
PHOTOS2 has the files named below, which are among those that no model was trained on; they are shrunk to 3/4.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 400
PHOTO = Path(__file__).parents[2] / "examples" / "photo.jpg"
SAYING = (
    "all its secrets can never be known and then all would not be told a book could be written about this "
    "restaurant of the smallest file that keeps every pixel of a page of letters which nobody reads twice"
)
WORDS = SAYING.split()

PEOPLE = (
    "gov-18f_038", "os-entrepreneurship_045", "os-introduction-anthropology_098", "os-introduction-anthropology_140",
    "os-introduction-philosophy_003", "os-introduction-political-science_016", "os-introduction-sociology_116",
    "os-physics_003", "os-writing-guide_007", "os-writing-guide_061",
)  # fmt: skip

Random = np.random.Generator


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def colour(rng: Random, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def sentence(rng: Random, words: int) -> str:
    return " ".join(rng.choice(WORDS, words).tolist())


def graphic(rng: Random) -> Image.Image:
    """A chart: bars, a curve, a pie, or a ramp with labels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), colour(rng, 200))
    draw, kind = ImageDraw.Draw(image), rng.integers(4)
    draw.text((30, 12), sentence(rng, 5), font=font(24), fill="black")
    values = rng.uniform(0.1, 1, 12)
    for line in range(6):
        draw.line((50, 60 + 55 * line, 610, 60 + 55 * line), fill=(160, 160, 160))
    if kind == 0:
        for index, value in enumerate(values):
            draw.rectangle((60 + 45 * index, 335 - 260 * value, 90 + 45 * index, 335), fill=colour(rng))
    elif kind == 1:
        for _ in range(3):
            values = rng.uniform(0.1, 1, 12)
            draw.line([(60 + 48 * i, 335 - 260 * v) for i, v in enumerate(values)], fill=colour(rng, 0, 180), width=4)
    elif kind == 2:
        edges = 360 * np.cumsum(values) / values.sum()
        for start, stop in zip([0, *edges], edges, strict=False):
            draw.pieslice((190, 70, 450, 330), start, stop, fill=colour(rng), outline="white")
    else:
        ramp = np.linspace(0, 1, 560)[None, :, None] * np.array(colour(rng)) + np.zeros((260, 1, 3))
        image.paste(Image.fromarray(ramp.astype(np.uint8)), (50, 75))
    for index in range(6):
        draw.text((60 + 95 * index, 350), rng.choice(WORDS), font=font(16), fill="black")
    return image


def screen(rng: Random) -> Image.Image:
    """Windows with a menu, text, buttons and icons; every third has a photo in it."""
    image = Image.new("RGB", (WIDTH, HEIGHT), colour(rng, 30, 120))
    draw = ImageDraw.Draw(image)
    for left, top in ((20, 20), (220, 90)):
        width, height = rng.integers(300, 400), rng.integers(220, 290)
        draw.rectangle((left, top, left + width, top + height), fill=(250, 250, 250), outline=(60, 60, 60))
        draw.rectangle((left, top, left + width, top + 24), fill=colour(rng, 60, 160))
        draw.text((left + 8, top + 4), sentence(rng, 3), font=font(14), fill="white")
        for line in range(8):
            draw.text((left + 12, top + 34 + 18 * line), sentence(rng, 6), font=font(12), fill=(30, 30, 30))
        for button in range(3):
            box = left + 12 + 95 * button, top + height - 34, left + 95 + 95 * button, top + height - 10
            draw.rounded_rectangle(box, 6, fill=(225, 228, 235), outline=(120, 120, 120))
            draw.text((box[0] + 12, box[1] + 4), rng.choice(WORDS), font=font(12), fill="black")
    if rng.random() < 1 / 3:
        with Image.open(PHOTO) as photo:
            x, y = rng.integers(0, 500), rng.integers(0, 300)
            image.paste(photo.crop((x, y, x + 200, y + 150)), (400, 220))
    return image


def text(rng: Random) -> Image.Image:
    """A page of letters, in black or in colours."""
    dark = rng.random() < 0.3
    image = Image.new("RGB", (WIDTH, HEIGHT), "black" if dark else "white")
    draw, size = ImageDraw.Draw(image), int(rng.integers(10, 26))
    for top in range(14, HEIGHT - size, int(1.4 * size)):
        fill = colour(rng, 140) if dark else (0, 0, 0) if rng.random() < 0.8 else colour(rng, 0, 150)
        draw.text((20, top), sentence(rng, 600 // (4 * size)), font=font(size), fill=fill)
    return image


def line_art(rng: Random) -> Image.Image:
    """Curves, polygons and hatching, drawn at four times the size and shrunk, so that edges are smooth."""
    image = Image.new("L", (4 * WIDTH, 4 * HEIGHT), 255)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, radius = rng.integers(200, 2360), rng.integers(200, 1400), rng.integers(80, 400)
        corners = int(rng.integers(3, 40))
        angles = np.sort(rng.uniform(0, 2 * math.pi, corners))
        points = [(x + radius * math.cos(a), y + 0.7 * radius * math.sin(a)) for a in angles]
        draw.line([*points, points[0]], fill=0, width=int(rng.integers(4, 14)), joint="curve")
        if rng.random() < 0.4:
            for step in range(-radius, radius, 24):
                draw.line((x + step, y - radius / 2, x + step + 60, y + radius / 2), fill=60, width=4)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


CLASSES: dict[str, Callable[[Random], Image.Image]] = {
    "graphics": graphic, "screens": screen, "text": text, "line art": line_art
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=Path, help="folder of photos")
    options = parser.parse_args()
    folder = options.folder
    for name, draw in CLASSES.items():
        folder.joinpath(name).mkdir(parents=True, exist_ok=True)
        for number in range(10):
            draw(np.random.default_rng([len(name), number])).save(folder / name / f"{number}.png")
    if options.people is not None:
        folder.joinpath("people").mkdir(exist_ok=True)
        for name in PEOPLE:
            with Image.open(options.people / f"{name}.avif") as photo:
                size = 3 * photo.width // 4, 3 * photo.height // 4
                photo.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(folder / "people" / f"{name}.png")


if __name__ == "__main__":
    main()
