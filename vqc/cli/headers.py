"""Reading the front of a `.vqc` file by name, for the commands that do not decode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vqc.errors import MediaError

if TYPE_CHECKING:
    from vqc.codec.container import Container, Header

LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="Refuse files that claim more pixels, or samples per channel, than this."
    ),
]


def read_vqc(path: Path, limit: int | None) -> Container:
    """The container in a file, its checksum verified.

    Raises:
        MediaError: the file cannot be read.
        ContainerError: it is no `.vqc` file, is damaged, or claims an implausible size.
    """
    from vqc.codec.container import read_container

    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror or error}") from error
    return read_container(data, limit=limit)


def media_of(header: Header) -> Literal["image", "audio"]:
    """Which sort of media comes out."""
    from vqc.codec.container import ImageShape

    return "image" if isinstance(header.shape, ImageShape) else "audio"
