"""Reading the front of a `.vqc` file by name, for the commands that do not decode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vqc.errors import ContainerError

if TYPE_CHECKING:
    from vqc.format.container import Container, Header


def read_file(path: Path, limit: int | None) -> Container:
    """The container in a file, its checksum verified. Raises MediaError when it cannot be read, or ContainerError."""
    from vqc.codec.inspect.verify import read_whole

    return read_whole(path, limit)[0]


def peek(path: Path, limit: int | None) -> Header:
    """The header of a file, to plan by: of a whole file only its front is read. Raises what `read_file` does."""
    from vqc.format.container import FRONT_BYTES, peek_header

    try:
        with path.open("rb") as file:
            return peek_header(file.read(FRONT_BYTES), limit=limit)
    except (OSError, ContainerError):
        return read_file(path, limit).header  # says what is wrong with all of it
