"""The media, the formats of their files that vqc reads and writes, and the suffixes: the one table of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vqc.format.shapes import Media


class Medium(NamedTuple):
    """Words for files of a medium, and for their rate.

    plural, one: several files, and what one file is.
    unit, key: the unit of the rate of a file for people, and in JSON.
    restored: the suffix of a restored file where none is asked for.
    """

    plural: str
    one: str
    unit: str
    key: str
    restored: str


class Format(NamedTuple):
    """One format.

    name: how it is called in options and functions.
    title: how sentences call a file of it.
    suffixes: of its files, in lower case; the first is the usual one.
    written: whether vqc writes it; it reads all.
    """

    name: str
    title: str
    media: Media
    suffixes: tuple[str, ...]
    written: bool = True


MEDIA: MappingProxyType[Media, Medium] = MappingProxyType(
    {
        "image": Medium("images", "an image", "bpp", "bits_per_pixel", ".png"),
        "audio": Medium("audio files", "audio", "kbps", "kbps", ".wav"),
    }
)
FORMATS = (
    Format("png", "a PNG image", "image", (".png",)),
    Format("jpeg", "a JPEG image", "image", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif")),
    Format("webp", "a WebP image", "image", (".webp",)),
    Format("tiff", "a TIFF image", "image", (".tiff", ".tif")),
    Format("bmp", "a BMP image", "image", (".bmp",)),
    Format("gif", "a GIF image", "image", (".gif",), written=False),
    Format("avif", "an AVIF image", "image", (".avif",), written=False),
    Format("mpo", "a JPEG image", "image", (".mpo",), written=False),
    Format("wav", "WAV audio", "audio", (".wav", ".wave")),
    Format("flac", "FLAC audio", "audio", (".flac",)),
    Format("ogg", "Ogg audio", "audio", (".ogg", ".oga")),
    Format("opus", "Opus audio", "audio", (".opus",)),
    Format("mp3", "MP3 audio", "audio", (".mp3",)),
    Format("aiff", "AIFF audio", "audio", (".aiff", ".aif", ".aifc"), written=False),
    Format("au", "AU audio", "audio", (".au", ".snd"), written=False),
    Format("caf", "CAF audio", "audio", (".caf",), written=False),
    Format("rf64", "RF64 audio", "audio", (".rf64",), written=False),
    Format("w64", "W64 audio", "audio", (".w64",), written=False),
)

FORMAT_OF_SUFFIX = MappingProxyType({suffix: entry for entry in FORMATS for suffix in entry.suffixes})
SUFFIXES: MappingProxyType[Media, tuple[str, ...]] = MappingProxyType(
    {media: tuple(s for s, entry in FORMAT_OF_SUFFIX.items() if entry.media == media) for media in MEDIA}
)


def written_as(media: Media) -> dict[str, str]:
    """The suffixes of files of this medium that can be written, and the format that each stands for."""
    return {suffix: entry.name for suffix, entry in FORMAT_OF_SUFFIX.items() if entry.written and entry.media == media}


def usual_suffixes(media: Media) -> tuple[str, ...]:
    """One suffix for each format of this medium that can be written: what sentences offer."""
    return tuple(entry.suffixes[0] for entry in FORMATS if entry.written and entry.media == media)
