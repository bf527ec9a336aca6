"""Metadata of image files that Pillow does not pass on: chunks of PNG, boxes of AVIF and JPEG 2000."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

_PNG_SIGNATURE = 8  # bytes
_CODESTREAM = b"\xff\x4f\xff\x51"  # how the image of a JPEG 2000 file begins: SOC, SIZ
_LONGEST_FRONT = 2**22  # bytes before that are looked at
_LONGEST_BOX = 2**24  # bytes of the box with the description of an AVIF file


class AvifMetadata(NamedTuple):
    """Metadata of the main image of an AVIF file.

    bits: per channel, or None where it is not said.
    code_points: colour primaries and transfer curve (H.273), or None.
    """

    bits: int | None
    code_points: tuple[int, int] | None


def png_code_points(file: BinaryIO) -> tuple[int, int, bool] | None:
    """Primaries, transfer curve and whether the range is full, of the cICP chunk of a PNG; None without one."""
    with _kept_place(file):
        file.seek(_PNG_SIGNATURE)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"IDAT":
                return None
            if name == b"cICP" and length == 4:
                primaries, transfer, matrix, full = file.read(4).ljust(4, b"\0")
                return None if matrix else (primaries, transfer, bool(full))  # PNG is RGB: any matrix is a mistake
            file.seek(length + 4, 1)
    return None


def avif_metadata(file: BinaryIO) -> AvifMetadata:
    """Read what an AVIF file says of its main image; nothing where it is damaged: decoding will find that."""
    with _kept_place(file):
        file.seek(0)
        try:
            return _described(_meta(file))
        except (struct.error, IndexError, KeyError, ValueError):
            return AvifMetadata(None, None)


class Jp2Metadata(NamedTuple):
    """Metadata of a JPEG 2000 file.

    bits: of the channel that has most, or None where it is not said.
    space: number of the colour space (ISO 15444-1, annex I), or None.
    profile: ICC profile of the colours, or None.
    """

    bits: int | None
    space: int | None
    profile: bytes | None


def jp2_metadata(file: BinaryIO) -> Jp2Metadata:
    """Read what a JPEG 2000 file says of its image; nothing where it is damaged: decoding will find that."""
    with _kept_place(file):
        file.seek(0)
        front = file.read(_LONGEST_FRONT)
    start = front.find(_CODESTREAM)
    channels = int.from_bytes(front[start + 40 : start + 42], "big")
    sizes = front[start + 42 : start + 42 + 3 * channels : 3] if start >= 0 else b""
    bits = max((size & 0x7F) + 1 for size in sizes) if sizes else None
    header = dict(_boxes(front)).get(b"jp2h", b"")
    colour = next((body for name, body in _boxes(header) if name == b"colr"), b"")  # further ones are for others
    if colour[:1] == b"\x01":
        return Jp2Metadata(bits, int.from_bytes(colour[3:7], "big"), None)
    return Jp2Metadata(bits, None, colour[3:] or None)


@contextmanager
def _kept_place(file: BinaryIO) -> Iterator[None]:
    place = file.tell()
    try:
        yield
    finally:
        file.seek(place)


def _meta(file: BinaryIO) -> bytes:
    """The inside of the `meta` box, after its version and flags."""
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        head_bytes = 8
        if size == 1:
            size, head_bytes = struct.unpack(">Q", file.read(8))[0], 16
        if name == b"meta":
            return file.read(min(size - head_bytes, _LONGEST_BOX) if size else _LONGEST_BOX)[4:]
        if size < head_bytes:
            break
        file.seek(size - head_bytes, 1)
    raise ValueError("no description")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and insides of the boxes in a box; all within `meta` have 32-bit lengths."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        size = size or len(data) - at
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size


def _described(meta: bytes) -> AvifMetadata:
    inside = dict(_boxes(meta))
    parts = dict(_boxes(inside[b"iprp"]))
    properties = list(_boxes(parts[b"ipco"]))
    main = struct.unpack_from(">I" if inside[b"pitm"][0] else ">H", inside[b"pitm"], 4)[0]
    bits, code_points = None, None
    for index in _properties_of(main, parts[b"ipma"]):
        name, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if name == b"pixi":
            bits = max(body[5 : 5 + body[4]])
        elif name == b"av1C" and bits is None:
            bits = 8 if not body[2] & 0x40 else 12 if body[2] & 0x20 else 10
        elif name == b"colr" and body[:4] == b"nclx":
            code_points = struct.unpack_from(">HH", body, 4)
    return AvifMetadata(bits, code_points)


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Return which properties, counted from 1, belong to an item."""
    wide, at = bool(ipma[3] & 1), 8
    for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
        found = struct.unpack_from(">I" if ipma[0] else ">H", ipma, at)[0]
        at += 4 if ipma[0] else 2
        count, at = ipma[at], at + 1
        width = 2 if wide else 1
        if found == item:
            entries = [ipma[at + width * place : at + width * (place + 1)] for place in range(count)]
            return [int.from_bytes(entry, "big") & (0x7FFF if wide else 0x7F) for entry in entries]
        at += count * width
    return []
