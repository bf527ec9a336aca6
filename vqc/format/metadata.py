"""Where the content of a file comes from: fields of format 2, which decoding does not need.

A field is a number v, its length v, and that many bytes; numbers rise. Each is a raw deflate stream (RFC 1951) of

    1  EXIF     as in the APP1 segment of a JPEG, without its first six bytes
    2  XMP      the packet
    3  profile  name of the colour profile that the original had, in UTF-8
    4  tags     of audio, in UTF-8: name, 0, value, 0, next name, …

of at most 2^20 bytes. Fields 5 and from 128 on are in vqc/format/index.py, traits.py and stream.py. A reader passes
over fields that it does not know, but for numbers from 128 on: those it must know, or refuse the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from vqc.errors import ContainerError
from vqc.format.stream import KNOWN

MAX_BYTES = 2**20  # of a field, inflated
FIRST_NEEDED = 128  # fields from this number on must be known
_EXIF, _XMP, _PROFILE, _TAGS = 1, 2, 3, 4
_RAW_DEFLATE = -15  # as zlib calls a stream without a header
_ERRORS = "replace"  # what is no UTF-8 is shown as such


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Metadata of a file; empty where there is none.

    exif: TIFF structure of EXIF.
    xmp: XML.
    profile: name of the colour profile of the original; the pixels are sRGB.
    tags: names and values, of audio.
    """

    exif: bytes = b""
    xmp: bytes = b""
    profile: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.exif or self.xmp or self.profile or self.tags)


NO_METADATA = Metadata()


def to_fields(metadata: Metadata) -> dict[int, bytes]:
    """The fields of metadata by their numbers, which rise; none that says nothing or is too long."""
    tags = "".join(f"{name}\0{value}\0" for name, value in metadata.tags if "\0" not in name + value)
    contents = {
        _EXIF: metadata.exif,
        _XMP: metadata.xmp,
        _PROFILE: metadata.profile.encode("utf-8", _ERRORS),
        _TAGS: tags.encode("utf-8", _ERRORS),
    }
    return {number: _deflate(content) for number, content in contents.items() if 0 < len(content) <= MAX_BYTES}


def from_fields(fields: Mapping[int, bytes]) -> Metadata:
    """The metadata in fields.

    Raises:
        ContainerError: they are damaged, or one must be known and is not.
    """
    for number in fields:
        if number >= FIRST_NEEDED and number not in KNOWN:
            raise ContainerError(f"the .vqc file has a field {number}, which this version does not know; update vqc")
    contents = {number: _inflate(data) for number, data in fields.items() if number <= _TAGS}
    words = contents.get(_TAGS, b"").decode("utf-8", _ERRORS).split("\0")
    if words.pop() or len(words) % 2:  # the last value ends with a 0 as well
        raise _damaged()
    return Metadata(
        exif=contents.get(_EXIF, b""),
        xmp=contents.get(_XMP, b""),
        profile=contents.get(_PROFILE, b"").decode("utf-8", _ERRORS),
        tags=tuple(zip(words[::2], words[1::2], strict=True)),
    )


def length_of(metadata: Metadata) -> int:
    """Bytes that the fields of metadata take, but for their numbers and lengths."""
    return sum(map(len, to_fields(metadata).values()))


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE)
    return stream.compress(content) + stream.flush()


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj(_RAW_DEFLATE)
    try:
        content = stream.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise _damaged() from None
    if not stream.eof or stream.unused_data or not 0 < len(content) <= MAX_BYTES:
        raise _damaged()
    return content


def _damaged() -> ContainerError:
    return ContainerError("the .vqc file is damaged: its metadata cannot be right; get it again")
