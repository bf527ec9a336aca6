"""The media, the formats of their files that vqc reads and writes, and the suffixes: the one table of them."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vqc.errors import OptionError

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
    lossy: whether it is written with loss, and takes a quality.
    extra: the extra of this distribution that reads it, if one is needed.
    """

    name: str
    title: str
    media: Media
    suffixes: tuple[str, ...]
    written: bool = True
    lossy: bool = False
    extra: str = ""

    @property
    def at_hand(self) -> bool:
        """Whether what reads it is installed."""
        return not self.extra or extra_at_hand(self.extra)


_PACKAGES = MappingProxyType({"av": "av", "heif": "pillow_heif"})  # by extra


@cache
def extra_at_hand(extra: str) -> bool:
    """Return whether the package of an extra is installed."""
    return find_spec(_PACKAGES[extra]) is not None


MEDIA: MappingProxyType[Media, Medium] = MappingProxyType(
    {
        "image": Medium("images", "an image", "bpp", "bits_per_pixel", ".png"),
        "audio": Medium("audio files", "audio", "kbps", "kbps", ".wav"),
    }
)
FORMATS = (
    Format("png", "a PNG image", "image", (".png",)),
    Format("jpeg", "a JPEG image", "image", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), lossy=True),
    Format("webp", "a WebP image", "image", (".webp",), lossy=True),
    Format("tiff", "a TIFF image", "image", (".tiff", ".tif")),
    Format("bmp", "a BMP image", "image", (".bmp",)),
    Format("gif", "a GIF image", "image", (".gif",), written=False),
    Format("avif", "an AVIF image", "image", (".avif",), lossy=True),
    Format("jp2", "a JPEG 2000 image", "image", (".jp2", ".j2k", ".jpf", ".jpx"), written=False),
    Format("mpo", "a JPEG image (MPO)", "image", (".mpo",), written=False),
    Format("heif", "an HEIC image", "image", (".heic", ".heif", ".hif"), written=False, extra="heif"),
    Format("wav", "WAV audio", "audio", (".wav", ".wave")),
    Format("flac", "FLAC audio", "audio", (".flac",)),
    Format("ogg", "Ogg audio", "audio", (".ogg", ".oga"), lossy=True),
    Format("opus", "Opus audio", "audio", (".opus",), lossy=True),
    Format("mp3", "MP3 audio", "audio", (".mp3",), lossy=True),
    Format("aiff", "AIFF audio", "audio", (".aiff", ".aif", ".aifc"), written=False),
    Format("au", "AU audio", "audio", (".au", ".snd"), written=False),
    Format("caf", "CAF audio", "audio", (".caf",), written=False),
    Format("rf64", "RF64 audio", "audio", (".rf64",), written=False),
    Format("w64", "W64 audio", "audio", (".w64",), written=False),
    Format("m4a", "M4A audio", "audio", (".m4a", ".m4b", ".m4r"), written=False, extra="av"),
    Format("aac", "AAC audio", "audio", (".aac",), written=False, extra="av"),
    Format("matroska", "Matroska audio", "audio", (".mka", ".weba"), written=False, extra="av"),
)

FORMAT_OF_SUFFIX = MappingProxyType({suffix: entry for entry in FORMATS for suffix in entry.suffixes})
# Of files that can be read here.
SUFFIXES: MappingProxyType[Media, tuple[str, ...]] = MappingProxyType(
    {
        media: tuple(s for s, entry in FORMAT_OF_SUFFIX.items() if entry.media == media and entry.at_hand)
        for media in MEDIA
    }
)


def written_as(media: Media) -> dict[str, str]:
    """The suffixes of files of this medium that can be written, and the format that each stands for."""
    return {suffix: entry.name for suffix, entry in FORMAT_OF_SUFFIX.items() if entry.written and entry.media == media}


def check_quality(format: str, quality: int | None) -> None:
    """OptionError where a quality (1 to 100) is given of a format that has none, or it is no quality."""
    if quality is None:
        return
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise OptionError(f"an output quality of {quality}: give a whole number from 1 to 100")
    lossy = {entry.name: entry.suffixes[0] for entry in FORMATS if entry.lossy}
    if format not in lossy:
        raise OptionError(
            f"{format} files are written without loss; an output quality is for {', '.join(lossy.values())}"
        )


def usual_suffixes(media: Media) -> tuple[str, ...]:
    """One suffix for each format of this medium that can be written: what sentences offer."""
    return tuple(entry.suffixes[0] for entry in FORMATS if entry.written and entry.media == media)
