"""Names of media formats: which files are looked for in folders, and which formats can be written."""

from __future__ import annotations

from pathlib import Path

from vqc.cli.listing import listed
from vqc.errors import OptionError

# What can be read and written; what can only be read is in MEDIA_SUFFIXES alone.
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
MEDIA_SUFFIXES = IMAGE_SUFFIXES | AUDIO_SUFFIXES | {".aif", ".aiff", ".au", ".caf", ".w64"}
FORMATS = {".jpg": "jpeg", ".tif": "tiff", ".oga": "ogg"}  # where it is not the suffix itself
DEFAULT_SUFFIX = {"image": ".png", "audio": ".wav"}


def wanted_suffix(file_format: str | None, file: str | None) -> str | None:
    """The suffix that --format asks for, or the name of the one file to write, or None where neither does.

    Raises OptionError for a format that cannot be written, and when the two disagree.
    """
    asked = f".{file_format.lower().removeprefix('.')}" if file_format else None
    named = (Path(file).suffix.lower() or None) if file else None
    for suffix in (asked, named):
        if suffix is not None and suffix not in IMAGE_SUFFIXES | AUDIO_SUFFIXES:
            formats = listed(IMAGE_SUFFIXES | AUDIO_SUFFIXES)
            raise OptionError(f"format {suffix[1:]!r} cannot be written; choose one of {formats}")
    if asked and named and format_of(asked) != format_of(named):
        raise OptionError(f"--format {file_format} and -o {file} ask for different formats; give one of them")
    return named or asked


def suffix_for(media: str, wanted: str | None, name: str) -> str:
    """The suffix of a restored file; OptionError when an image is wanted of audio or the other way round."""
    fitting = IMAGE_SUFFIXES if media == "image" else AUDIO_SUFFIXES
    if wanted is not None and wanted not in fitting:
        what = "an image" if media == "image" else "audio"
        raise OptionError(f"{name}: this is {what}, which cannot be written as {wanted[1:]}; use {listed(fitting)}")
    return wanted or DEFAULT_SUFFIX[media]


def format_of(suffix: str) -> str:
    """The name of the format that a suffix stands for, `.jpg` for example for `jpeg`."""
    return FORMATS.get(suffix, suffix.removeprefix("."))
