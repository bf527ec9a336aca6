"""Image or audio: told by the first bytes of a file, whatever it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from vqc.codec.container import MAGIC
from vqc.errors import MediaError

_LONGEST = 16  # bytes looked at
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\x01\0")
_AUDIO = (b"fLaC", b"OggS", b"ID3", b"RF64", b"riff", b".snd", b"caff", b"wvpk")
_AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".m4a", ".aac"}
)


def media_of_file(source: str | os.PathLike[str] | bytes) -> Literal["image", "audio"]:
    """The medium of a file given by path or by its bytes; a file that looks like neither is audio if it is called so.

    Raises:
        MediaError: the file cannot be read, is empty, or is a `.vqc` file.
    """
    if isinstance(source, bytes):
        name, start = "the input", source[:_LONGEST]
    else:
        name = os.fspath(source)
        try:
            with Path(source).open("rb") as file:
                start = file.read(_LONGEST)
        except OSError as error:
            raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not start:
        raise MediaError(f"{name}: is an empty file; get it again")
    if start.startswith(MAGIC):
        raise MediaError(f"{name}: is a .vqc file already; use decompress to restore it")
    if _is_image(start):
        return "image"
    return "audio" if _is_audio(start) or Path(name).suffix.lower() in _AUDIO_SUFFIXES else "image"


def _is_image(start: bytes) -> bool:
    return start.startswith(_IMAGES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _is_audio(start: bytes) -> bool:
    if start[:4] in (b"RIFF", b"RIFX", b"FORM"):
        return start[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    mp3_frame = start[0] == 0xFF and len(start) > 1 and start[1] & 0xE6 in (0xE2, 0xE4, 0xE6)  # sync and a layer
    return start.startswith(_AUDIO) or mp3_frame
