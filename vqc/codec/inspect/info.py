"""What a `.vqc` file says of itself, without decoding it and without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from vqc.codec.inspect.verify import read_whole
from vqc.errors import ModelNotFoundError
from vqc.format.container import Container, Entropy
from vqc.format.metadata import Metadata, length_of
from vqc.format.plain import name_of
from vqc.format.shapes import Media, Shape
from vqc.models.files.zoo import find_by_digest
from vqc.models.kinds import kind_numbered


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """Description of a `.vqc` file."""

    kind: str  # of its model; "lossless" or "avif" of a picture that has none
    model: str | None  # its name; None if it is not at hand, or there is none
    digest: str  # the first six bytes of it, in hex
    quality: int
    entropy: Entropy  # how the codes are written
    shape: Shape  # of the image or the audio
    bytes: int  # of the whole file
    code_bytes: int
    alpha_bytes: int  # 0 without transparency
    metadata: Metadata  # what is known of the original
    metadata_bytes: int  # 0 without any
    streamed: bool  # whether it was written while the recording came in
    has_codes: bool  # not of a picture that has no model

    @property
    def lossless(self) -> bool:
        """Whether every pixel comes back as it was."""
        return self.kind == "lossless"

    @property
    def media(self) -> Media:
        """The medium that is restored."""
        return self.shape.media

    @property
    def other_bytes(self) -> int:
        """Bytes of header and checksum."""
        return self.bytes - self.code_bytes - self.alpha_bytes - self.metadata_bytes

    @property
    def rate(self) -> float:
        """Bits of the whole file per pixel of an image, kilobits per second of audio."""
        return self.shape.rate(self.bytes)


def info(source: str | os.PathLike[str] | bytes | BinaryIO, *, limit: int | None = None) -> FileInfo:
    """Describe a `.vqc` file without decoding it.

    Args:
        source: path of the file, its bytes, or the file, open for reading.
        limit: largest number of pixels (2^28 by default) or samples per channel (2^36) to believe.

    Raises:
        MediaError: the file cannot be read.
        ContainerError: it is no `.vqc` file, damaged, or over the limit.
    """
    return info_of(*read_whole(source, limit))


def info_of(container: Container, file_bytes: int) -> FileInfo:
    """The description of a file of so many bytes that was read already."""
    header = container.header
    return FileInfo(
        kind=name_of(header.quality) if header.is_plain else kind_numbered(header.codec).name,
        model=None if header.is_plain else _model_of(header.digest),
        digest=header.digest.hex(),
        quality=header.quality,
        entropy=header.entropy,
        shape=header.shape,
        bytes=file_bytes,
        code_bytes=len(container.body),
        alpha_bytes=len(container.alpha) if container.alpha is not None else 0,
        metadata=container.metadata,
        metadata_bytes=length_of(container.metadata),
        streamed=container.streamed,
        has_codes=not header.is_plain,
    )


def _model_of(digest: bytes) -> str | None:
    """The name of the model, if it is at hand."""
    try:
        found: Any = find_by_digest(digest)
    except ModelNotFoundError:
        return None
    return str(found.name)
