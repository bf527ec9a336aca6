"""Image or audio: told by the first bytes of a file, whatever it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from vqc.codec.container import MAGIC
from vqc.data.kinds import HEAD_BYTES, image_format_of, is_audio, kind_of_bytes, not_media
from vqc.data.suffixes import SUFFIXES
from vqc.errors import MediaError


def media_of_file(source: str | os.PathLike[str] | bytes) -> Literal["image", "audio"]:
    """The medium of a file given by path or by its bytes.

    A file that begins like nothing known is audio if it is called so: MP3s and raw streams may begin with anything.

    Raises:
        MediaError: the file cannot be read, is empty, is a `.vqc` file, or neither an image nor audio.
    """
    if isinstance(source, bytes):
        name, head = "the input", source[:HEAD_BYTES]
    else:
        name = os.fspath(source)
        try:
            with Path(source).open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as error:
            raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error
    if head.startswith(MAGIC):
        raise MediaError(f"{name}: is a .vqc file already; use decompress to restore it")
    if image_format_of(head):
        return "image"
    if is_audio(head) or (kind_of_bytes(head) is None and Path(name).suffix.lower() in SUFFIXES["audio"]):
        return "audio"
    raise not_media(name, head)
