"""Sound files that begin with the number of their bytes of sound: WAV, RF64, W64, AIFF, CAF and AU.

A recorder that lost power leaves a 0 there, a program that writes to a pipe all ones, and a file that was broken off
tells of more than there is. None of these formats marks its end, so the sound that is there is read. Also told here:
where the channels stand, and MP3 in WAV, which libsndfile does not count.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from vqc.data.channel_layout import BC, BL, BR, FC, FL, FR, LFE, default_mask, mask_of, unless_default
from vqc.data.mp3 import inspect_mp3
from vqc.data.recording import Recording
from vqc.data.splice import ByteRange, file_size, splice


class _Format(NamedTuple):
    """Layout of the chunks of a format."""

    first: int  # where the first one begins
    name: int  # bytes of its name, of which four matter
    length: str  # how its length is written, for struct
    counts_head: bool = False  # whether name and length are part of the length
    align: int = 1


_FORMATS = MappingProxyType(
    {
        b"RIFF": _Format(12, 4, "<I", align=2),
        b"RIFX": _Format(12, 4, ">I", align=2),
        b"RF64": _Format(12, 4, "<I", align=2),
        b"FORM": _Format(12, 4, ">I", align=2),
        b"riff": _Format(40, 16, "<Q", counts_head=True, align=8),
        b"caff": _Format(8, 4, ">q"),
    }
)
_AU = b".snd"
MARKS = (*_FORMATS, _AU)
_BEFORE_SOUND = MappingProxyType({b"FORM": 8, b"caff": 4})  # bytes of the chunk that are no samples yet
_UNKNOWN_AU, _UNKNOWN_CAF = 2**32 - 1, -1
UNKNOWN_WAV = (range(2**31 - 2**16, 2**31 + 1), range(2**32 - 2**16, 2**32))  # what programs write before a pipe
_EXTENSIBLE, _MP3_TAGS = 0xFFFE, (0x50, 0x55)
_LARGEST_CHUNK = 2**16  # of those with something to know in them
# Layouts of Core Audio for three to six channels, by their number; "MPEG 5.1 B" is 122, and so on.
_LAYOUTS = MappingProxyType(
    {
        108: (FL, FR, BL, BR),
        113: (FL, FR, FC),
        114: (FC, FL, FR),
        115: (FL, FR, FC, BC),
        116: (FC, FL, FR, BC),
        117: (FL, FR, FC, BL, BR),
        118: (FL, FR, BL, BR, FC),
        119: (FL, FC, FR, BL, BR),
        120: (FC, FL, FR, BL, BR),
        121: (FL, FR, FC, LFE, BL, BR),
        122: (FL, FR, BL, BR, FC, LFE),
        123: (FL, FC, FR, BL, BR, LFE),
        124: (FC, FL, FR, BL, BR, LFE),
    }
)
_BY_BITS, _BY_LABELS = 1, 0  # instead of such a number
_LAST_LABEL = 11  # 1 to 11 are the bits 0 to 10


@dataclass
class _Found:
    """Facts that the chunks tell."""

    length_at: int = 0
    length_code: str = ""  # for struct
    start: int = 0  # of the sound
    declared: int = -1  # bytes of sound; below 0 is unknown
    more: int = 0  # bytes that the length counts besides the sound
    frame_bytes: int = 1  # of one sample of all channels
    channels: int = 0
    mask: int | None = None
    places: tuple[int, ...] | None = None
    is_mp3: bool = False
    frames_at: int = 0  # of AIFF: where the number of samples stands


def inspect_header(file: BinaryIO) -> Recording:
    """The recording of a file that begins with one of `MARKS`."""
    file.seek(0)
    mark = file.read(4)
    found = _au(file) if mark == _AU else _chunks(file, mark)
    if not found.start:
        return Recording()
    size = file_size(file)
    there, declared = max(0, size - found.start), found.declared
    doubts, parts = list[str](), tuple[BinaryIO, ...]()
    if declared == 0 and there and not _chunks_follow(file, mark, found.start, size):
        doubts.append("was never finished: it declares no samples, and all up to its end are taken")
        parts = (_mended(file, found, there),)
    elif declared > there and not _is_placeholder(mark, declared):
        if declared - there >= found.frame_bytes:
            doubts.append(f"is cut short: of {declared:,} bytes of samples {there:,} are there")
        parts = (_mended(file, found, there),) if mark == b"caff" else ()  # libsndfile reads the others
    elif declared < 0 and mark == b"caff":
        parts = (_mended(file, found, there),)
    elif 0 < declared < there and mark == b"riff":  # libsndfile takes what follows the sound of a W64 for more of it
        parts = (splice(file, [ByteRange(0, found.start + declared)]),)
    channel_mask = None if found.mask is None else unless_default(found.mask, found.channels)
    recording = Recording(parts, found.places, channel_mask, tuple(doubts))
    if not found.is_mp3:
        return recording
    within = inspect_mp3(file, ByteRange(found.start, min(size, found.start + declared) if declared > 0 else size))
    return replace(within, doubts=recording.doubts or within.doubts)


def _au(file: BinaryIO) -> _Found:
    head = file.read(8)
    if len(head) < 8:
        return _Found()
    start, declared = struct.unpack(">II", head)
    return _Found(8, ">I", start, -1 if declared == _UNKNOWN_AU else declared)


def _chunks(file: BinaryIO, mark: bytes) -> _Found:
    found, data_in_ds64 = _Found(), 0
    layout = _FORMATS[mark]
    for name, length, start in _walk(file, layout, layout.first):
        if name in (b"data", b"SSND"):
            before, field = _BEFORE_SOUND.get(mark, 0), struct.calcsize(layout.length)
            found.start, found.declared = start + before, max(0, length - before) if length >= 0 else -1
            found.more = before + (layout.name + field if layout.counts_head else 0)
            found.length_at, found.length_code = start - field, layout.length
            if data_in_ds64 and length == 2**32 - 1:
                file.seek(data_in_ds64)
                found.length_at, found.length_code = data_in_ds64, "<Q"
                found.declared = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
            if length <= 0:
                break
        elif name == b"ds64":
            data_in_ds64 = start + 8
        elif 0 < length <= _LARGEST_CHUNK:
            file.seek(start)
            _learn(found, name, file.read(length), layout.length[0], start)
    return found


def _walk(file: BinaryIO, layout: _Format, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, length and first byte of each chunk."""
    head_bytes = layout.name + struct.calcsize(layout.length)
    while True:
        file.seek(position)
        head = file.read(head_bytes)
        if len(head) < head_bytes:
            return
        (length,) = struct.unpack(layout.length, head[layout.name :])
        if layout.counts_head:
            length = max(0, length - head_bytes)
        yield head[:4], length, position + head_bytes
        if length < 0:
            return
        position += head_bytes + length + -length % layout.align


def _learn(found: _Found, name: bytes, body: bytes, order: str, start: int) -> None:
    """Take over what a chunk with this name says."""
    if name == b"fmt " and len(body) >= 16:
        tag, found.channels, _, _, found.frame_bytes, _ = struct.unpack(f"{order}HHIIHH", body[:16])
        found.mask = default_mask(found.channels) if found.channels <= 2 else 0
        if tag == _EXTENSIBLE and len(body) >= 40:
            found.mask = struct.unpack(f"{order}I", body[20:24])[0]
            tag = struct.unpack(f"{order}I", body[24:28])[0]
        found.is_mp3 = tag in _MP3_TAGS
    elif name == b"COMM" and len(body) >= 8:
        found.channels, _, bits = struct.unpack(">HIH", body[:8])
        found.frames_at, found.frame_bytes = start + 2, found.channels * -(-bits // 8)
        found.mask = default_mask(found.channels) if found.channels <= 2 else found.mask or 0
    elif name == b"desc" and len(body) >= 32:
        found.frame_bytes, _, found.channels = struct.unpack(">III", body[16:28])
        found.mask = default_mask(found.channels) if found.channels <= 2 else 0
    elif name in (b"chan", b"CHAN") and len(body) >= 12:
        _learn_layout(found, body)


def _learn_layout(found: _Found, body: bytes) -> None:
    """Take over what a layout of Core Audio says, in CAF and AIFF."""
    tag, bits, count = struct.unpack(">III", body[:12])
    if tag >> 16 == _BY_BITS:
        found.mask = bits
    elif tag >> 16 in _LAYOUTS:
        found.places = _LAYOUTS[tag >> 16]
    elif tag >> 16 == _BY_LABELS and len(body) >= 12 + 20 * count:
        labels = [int.from_bytes(body[at : at + 4], "big") for at in range(12, 12 + 20 * count, 20)]
        if len(set(labels)) == count and all(1 <= label <= _LAST_LABEL for label in labels):
            found.places = tuple(label - 1 for label in labels)
    if found.places is not None:
        found.mask = mask_of(found.places)


def _is_placeholder(mark: bytes, declared: int) -> bool:
    return mark in (b"RIFF", b"RIFX") and any(declared in unknown for unknown in UNKNOWN_WAV)


def _chunks_follow(file: BinaryIO, mark: bytes, start: int, size: int) -> bool:
    """Return whether there are chunks up to the end of the file, and so no samples."""
    if mark == _AU:
        return False
    stop = start
    for name, length, body in _walk(file, _FORMATS[mark], start):
        if length < 0 or not name.isascii() or not name.decode("ascii").isprintable():
            return False
        stop = body + length
    return stop in (size, size - 1)


def _mended(file: BinaryIO, found: _Found, there: int) -> BinaryIO:
    """The file with the number of bytes that are there."""
    bits = 8 * struct.calcsize(found.length_code)
    length = min(there + found.more, 2 ** (bits - 1) - 1 if found.length_code[1].islower() else 2**bits - 1)
    mends = [(found.length_at, struct.pack(found.length_code, length))]
    if found.frames_at:
        mends.append((found.frames_at, struct.pack(">I", there // max(1, found.frame_bytes))))
    pieces, position = list[ByteRange | bytes](), 0
    for at, data in sorted(mends):
        pieces += [ByteRange(position, at), data]
        position = at + len(data)
    return splice(file, [*pieces, ByteRange(position, file_size(file))])
