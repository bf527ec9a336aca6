"""Facts about a sound file that libsndfile alone would read wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Recording:
    """Found by looking into a file.

    parts: files with the sound in them, to be read in sequence; none if the file can be read as it is.
    places: for each channel, as they follow each other in the file, its bit in the channel mask; None where they
        stand in the order of these bits already.
    channel_mask: as in WAV; None if the places are the usual ones of this number of channels.
    doubts: what to warn of, each the end of a sentence that begins with the name of the file.
    is_mp3: whether the sound is MP3.
    """

    parts: tuple[BinaryIO, ...] = ()
    places: tuple[int, ...] | None = None
    channel_mask: int | None = None
    doubts: tuple[str, ...] = ()
    is_mp3: bool = False
