"""What `vqc help TOPIC` prints: formats, qualities, files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files
from types import MappingProxyType

from vqc.cli.console import print_table
from vqc.data.formats import FORMATS, MEDIA, Format

WIDTH = 100

# To expect of each quality of the bundled models; the same words stand in docs/usage.md.
QUALITIES = (
    ("patches of colour; outlines soft, texture and small print gone",
     "the words, in a voice made from pitch and spectrum alone"),
    ("large outlines hold, surfaces are smooth", "the same, with fewer slips"),
    ("edges firm up, leaves and hair are blotches", "clearer consonants, the voice still synthetic"),
    ("fine at half its size, soft at its own",
     "nearer to the speaker, as part of the waveform is sent; rougher than 3"),
    ("edges crisp, fine texture smoothed away", "nearer and clearer, still rougher than 3"),
    ("no flaw catches the eye in most photos; gravel, grass and stars are softer than they were",
     "the speaker is easily told, little roughness"),
    ("differences show with the original beside it", "clean, a little dull"),
    ("hard to tell at its own size", "clean"),
)  # fmt: skip


def formats() -> None:
    """Print the formats that go in and come out."""
    for media, words in MEDIA.items():
        rows = [
            [re.sub("^an? ", "", entry.title), " ".join(entry.suffixes), ways_of(entry)]
            for entry in FORMATS
            if entry.media == media
        ]
        print(f"{words.plural.capitalize()}:")
        print_table(["format", "names end in", ""], rows, left=3)
        print()
    say(
        "Files are told by their content, whatever they are called. Images have up to 8 bits per channel and one "
        "frame; colours become sRGB, grayscale stays grayscale, transparency is kept. Audio has any sample rate and up "
        "to 255 channels. decompress --format, or the name after -o, chooses what is written."
    )


def ways_of(entry: Format) -> str:
    """Say whether a format is read here, and whether it is written."""
    if not entry.at_hand:
        return f"read with the extra {entry.extra}"
    return "read" + ", written" * entry.written


def qualities() -> None:
    """Print what to expect of each quality."""
    for index, words in enumerate(MEDIA.values()):
        print(f"{words.plural.capitalize()}:")
        for number, looks in enumerate(QUALITIES, 1):
            say(f"{number}  {looks[index]}", indent="   ")
        print()
    say(
        "Numbers between are qualities too: -q 5.5. Images have 9 and 10 as well, about 35.5 and 38 dB: "
        "there the bits are AVIF's, inside the file, as it takes fewer than a model at such rates, and to restore it "
        "Pillow needs AVIF. In place of one, --target-size, --target-bpp and --target-kbps "
        "name a size, --target-psnr, --target-msssim and --target-pesq a score, and --effort takes more time for a "
        "better file of about the same size. --lossless keeps every pixel of an image. vqc models says how many "
        "qualities other models have, and vqc models show NAME their rates."
    )


def about_files() -> None:
    """Print what a `.vqc` file is, and how programs know it."""
    folder = files("vqc.cli").joinpath("desktop")
    say(
        "A .vqc file begins with the letters VQC. It names its model by content; only where that model is can it be "
        "restored. It is written whole or not at all, and ends with a checksum: vqc verify checks it. Media types: "
        "image/x-vqc and audio/x-vqc; of archives application/x-vqca."
    )
    print("\nSo that file(1) knows it:")
    print(f"  cat {folder.joinpath('vqc.magic')} >> ~/.magic")
    print("So that file managers of Linux know it:")
    print(f"  xdg-mime install --mode user --novendor {folder.joinpath('vqc.xml')}")
    print("So that Pillow opens it, in Python:")
    print("  import vqc.pillow")


def say(text: str, indent: str = "") -> None:
    """Print a paragraph."""
    print(textwrap.fill(text, WIDTH, subsequent_indent=indent))


TOPICS: MappingProxyType[str, Callable[[], None]] = MappingProxyType(
    {"formats": formats, "qualities": qualities, "files": about_files}
)


def overview() -> Iterator[str]:
    """Yield the lines that name the topics."""
    yield "Topics:"
    for name, show in TOPICS.items():
        yield f"  vqc help {name:<10} {(show.__doc__ or '').removeprefix('Print ').rstrip('.').replace('`', '')}"
