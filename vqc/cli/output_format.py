"""Names of media formats as the commands take and offer them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cli.plan import join_suffixes
from vqc.data.formats import MEDIA, SUFFIXES, usual_suffixes, written_as
from vqc.errors import OptionError

if TYPE_CHECKING:
    from vqc.format.shapes import Media

MEDIA_SUFFIXES = frozenset(SUFFIXES["image"] + SUFFIXES["audio"])  # of the files that are looked for in folders
WRITTEN = written_as("image") | written_as("audio")


def requested_suffix(
    file_format: str | None, file: str | None, media: Sequence[Media] = ("image", "audio")
) -> str | None:
    """The suffix that --format asks for, or the name of the one file to write, or None where neither does.

    Raises OptionError for a format that cannot be written, and when the two disagree.
    """
    asked = f".{file_format.lower().removeprefix('.')}" if file_format else None
    named = (Path(file).suffix.lower() or None) if file else None
    for suffix in (asked, named):
        if suffix is not None and suffix not in WRITTEN:
            formats = join_suffixes([suffix for one in media for suffix in usual_suffixes(one)])
            raise OptionError(f"format {suffix[1:]!r} cannot be written; choose one of {formats}")
    if asked and named and format_of(asked) != format_of(named):
        raise OptionError(f"--format {file_format} and -o {file} ask for different formats; give one of them")
    return named or asked


def suffix_for(media: Media, wanted: str | None, name: str, *, several: bool) -> str:
    """The suffix of a restored file. Of several files a format is for those of its medium.

    OptionError when an image is wanted of the one file of audio, or the other way round.
    """
    if wanted is not None and wanted not in written_as(media):
        if several:
            return MEDIA[media].restored
        fitting = join_suffixes(usual_suffixes(media))
        raise OptionError(f"{name}: this is {MEDIA[media].one}, which cannot be written as {wanted[1:]}; use {fitting}")
    return wanted or MEDIA[media].restored


def format_of(suffix: str) -> str:
    """The name of the format that a suffix stands for, `.jpg` for example for `jpeg`."""
    return WRITTEN[suffix]
