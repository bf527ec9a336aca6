"""Whether a `.vqc` file is whole and can be decompressed here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vqc.codec.validation import check_header
from vqc.data.media_type import path_or_bytes
from vqc.errors import MediaError
from vqc.format.container import DIGEST_BYTES, Header, read_container
from vqc.format.plain import name_of
from vqc.models.files.zoo import find_by_digest
from vqc.models.kinds import kind_numbered

if TYPE_CHECKING:
    from vqc.format.container import Container


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """A file that is in order."""

    header: Header
    model: str  # its name; "lossless" or "avif" of a picture that has none
    bytes: int
    decoded: bool  # whether the codes were read as well


def verify(
    source: str | os.PathLike[str] | bytes | BinaryIO, *, decode: bool = True, limit: int | None = None
) -> VerifyResult:
    """Check a `.vqc` file: its checksum, that its model is at hand, and that all of its codes can be read.

    Args:
        source: path of the file, its bytes, or the file, open for reading.
        decode: whether to read the codes; without, torch is not even imported. The network is not run.
        limit: largest number of pixels (2^28 by default) or samples per channel (2^36) to believe.

    Raises:
        MediaError: the file cannot be read.
        ContainerError: it is no `.vqc` file, damaged, or over the limit.
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
    """
    container, size = read_whole(source, limit)
    header = container.header
    if header.is_plain:
        if decode:
            _restore(container, size, limit)
        return VerifyResult(header=header, model=name_of(header.quality), bytes=size, decoded=decode)
    kind_numbered(header.codec)  # see `codec_for_file`
    info = find_by_digest(header.digest)
    check_header(header, info.kind, info.qualities, bytes.fromhex(info.digest)[:DIGEST_BYTES], info.name)
    if decode:
        _read_codes(container, size, limit)
    return VerifyResult(header=header, model=info.name, bytes=size, decoded=decode)


def read_vqc(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    """The bytes of a `.vqc` file given by path, open or as they are. Raises MediaError when it cannot be read."""
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    path = path_or_bytes(source)
    if isinstance(path, bytes):
        return path
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MediaError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from error


def read_whole(source: str | os.PathLike[str] | bytes | BinaryIO, limit: int | None) -> tuple[Container, int]:
    """The container of a `.vqc` file, its checksum verified, and the bytes of the file. MediaError, ContainerError."""
    data = read_vqc(source)
    return read_container(data, limit=limit), len(data)


def _read_codes(container: Container, size: int, limit: int | None) -> None:
    from vqc.codec.limits import codec_for_work

    codec = codec_for_work(container.header, size, limit)
    codec.framing.verify(codec.reader(container))


def _restore(container: Container, size: int, limit: int | None) -> None:
    from vqc.codec.plain import restore_plain

    restore_plain(container, size, limit)
