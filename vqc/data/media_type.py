"""Image or audio: told by the first bytes of a file, whatever it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal

from vqc.data.file_signatures import HEAD_BYTES, image_format_of, is_audio, kind_of_bytes, not_media
from vqc.data.formats import SUFFIXES
from vqc.errors import MediaError, OptionError
from vqc.format.container import ARCHIVE_ADVICE, ARCHIVE_MAGIC, MAGIC

AnyFile = str | os.PathLike[str] | bytes | BinaryIO  # a path, the bytes of a file, or a file open for reading


def path_or_bytes(source: AnyFile) -> str | os.PathLike[str] | bytes:
    """Read what is open; return a path, or bytes, as they are.

    Raises:
        MediaError: the file gives no bytes.
        OptionError: it is none of these.
    """
    if isinstance(source, str | os.PathLike | bytes):
        return source
    if not hasattr(source, "read"):
        raise OptionError(f"a file is given by path, as bytes or open for reading, not as {type(source).__name__}")
    data: object = source.read()
    if not isinstance(data, bytes):
        raise MediaError(f"{getattr(source, 'name', 'the input')}: this file is open as text; open it with mode 'rb'")
    return data


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
    if head.startswith(ARCHIVE_MAGIC):
        raise MediaError(f"{name}: is {ARCHIVE_ADVICE}")
    if head.startswith(MAGIC):
        raise MediaError(f"{name}: is a .vqc file already; use decompress to restore it")
    if image_format_of(head):
        return "image"
    if is_audio(head) or (kind_of_bytes(head) is None and Path(name).suffix.lower() in SUFFIXES["audio"]):
        return "audio"
    raise not_media(name, head)
