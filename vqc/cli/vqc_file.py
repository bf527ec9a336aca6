"""Reading the front of a `.vqc` file by name, for the commands that do not decode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vqc.format.container import Container


def read_file(path: Path, limit: int | None) -> Container:
    """The container in a file, its checksum verified. Raises MediaError when it cannot be read, or ContainerError."""
    from vqc.codec.inspect.verify import read_vqc
    from vqc.format.container import read_container

    return read_container(read_vqc(path), limit=limit)
