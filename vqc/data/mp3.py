"""MP3 files, frame by frame: files put end to end, and tables of contents that are missing or wrong.

libsndfile believes the table at the start of an MP3 (Xing or Info) and reads no further than it says. Where there is
none it guesses from the bit rate of the first frame. Files put end to end, streams, and recordings that were cut would
so lose a large part of their sound without a word. So the frames are counted, and where the table is not right,
libsndfile is given each part with a table that is.

    ID3 | table  frame  frame ... | tag | table  frame ... | tag        two parts
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from vqc.data.recording import Recording
from vqc.data.splice import ByteRange, file_size, splice

_KBPS = {  # by whether the frame is MPEG-1, for layer 3
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)  # of MPEG-1; MPEG-2 halves them, MPEG-2.5 halves them again
_VERSION_25, _VERSION_2, _VERSION_1, _LAYER_3, _MONO = 0, 2, 3, 1, 3  # as the head of a frame has them
_HEAD_BYTES = 4
_LOOKED_AT = 64  # bytes of a frame: a table is marked within them
_FIRST_WITHIN = 65_536  # bytes in which the first frame must begin
_SEARCHED = 65_536  # bytes looked at together for the next frame
_VBRI_AT, _VBRI_COUNT_AT = 36, 50
_COUNTS, _COUNTS_BYTES, _HAS_PLACES, _HAS_QUALITY = 1, 2, 4, 8  # flags of a table: which parts it has
_PADDING_AT = 22  # from the begin of LAME's part of a table on; the padding has the last 12 bits of two bytes
_LARGEST_TABLE = 156  # bytes of its frame: what some versions of libmpg123 demand


class _Frame(NamedTuple):
    length: int  # bytes, header included
    samples: int  # per channel
    sample_rate: int
    mono: bool

    @property
    def table_at(self) -> int:
        """Place of the mark of a table: after what in other frames says how they are coded."""
        mpeg_1 = self.samples == 1152
        return _HEAD_BYTES + ((17 if mpeg_1 else 9) if self.mono else (32 if mpeg_1 else 17))

    def goes_on(self, other: _Frame) -> bool:
        """Return whether the other frame can be in the same part."""
        return self[1:] == other[1:]


@dataclass
class _Part:
    """Frames that belong together."""

    first: _Frame
    head: bytes  # of the first frame
    table: bytes = b""  # the whole frame in which it is
    declared: int = 0  # frames, by the table; 0 if it does not say or there is none
    frames: int = 0
    spans: list[ByteRange] = field(default_factory=list)

    def add(self, span: ByteRange) -> None:
        """One more frame."""
        self.frames += 1
        if self.spans and self.spans[-1].stop == span.start:
            span = ByteRange(self.spans.pop().start, span.stop)
        self.spans.append(span)

    @property
    def right(self) -> bool:
        """Return whether the table can be believed; some programs count it as well."""
        return self.declared in (self.frames, self.frames + 1)


def inspect_mp3(file: BinaryIO, within: ByteRange | None = None) -> Recording:
    """The recording of an MP3 file, or of the MP3 within a file; without parts if the file can be read as it is.

    It is empty too if this is no MP3 of layer 3.
    """
    start, stop = within or ByteRange(0, file_size(file))
    found = _Walk(file, start, stop)
    parts = found.parts
    if not parts:
        return Recording()
    plain = len(parts) == 1 and parts[0].right and len(parts[0].spans) == 1 and not found.odd_start
    return Recording(
        parts=() if plain and within is None else tuple(splice(file, [_table(part), *part.spans]) for part in parts),
        doubts=tuple(found.doubts()),
        is_mp3=True,
    )


class _Walk:
    """All frames between two places of a file, by part; tags are left out, and so is what is neither."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self.file, self.start, self.stop = file, start, stop
        self.parts = list[_Part]()
        self.odd_start = self.cut = False
        self.odd_bytes = 0  # between frames, and no tag
        self._go()

    def doubts(self) -> Iterator[str]:
        """Yield what to warn of."""
        if self.odd_bytes:
            yield f"{self.odd_bytes:,} bytes within it are not MP3 and were left out"
        short = [part for part in self.parts if part.declared > part.frames and not part.right]
        if short:
            declared, frames = sum(part.declared for part in short), sum(part.frames for part in short)
            yield f"is cut short: of {declared:,} frames {frames:,} are there"
        elif self.cut:
            yield "is cut short: its last frame is not whole"

    def _go(self) -> None:
        position, odd, end = self.start, 0, self.start
        while position < self.stop:
            head = self._head(position)
            frame = _frame(head)
            goes_on = frame and self.parts and position == end and frame.goes_on(self.parts[-1].first)
            if frame and (goes_on or self._confirmed(position, frame)):
                if position + frame.length > self.stop:
                    self.cut = True
                    break
                self.odd_start |= not self.parts and odd > 0
                self.odd_bytes += odd if self.parts else 0
                self._add(position, frame, head)
                odd, end = 0, position + frame.length
                position = end
            elif tag := _tag_length(head):
                position += tag
                end += tag if position - tag == end else 0
            else:
                found = self._next(position + 1)
                if found < 0:
                    break
                odd, position = odd + found - position, found

    def _add(self, position: int, frame: _Frame, head: bytes) -> None:
        declared = _declared(frame, head)
        if not self.parts or declared is not None or not frame.goes_on(self.parts[-1].first):
            self.parts.append(_Part(frame, head[:_HEAD_BYTES]))
        part = self.parts[-1]
        if declared is None:
            part.add(ByteRange(position, position + frame.length))
        else:
            self.file.seek(position)
            part.table, part.declared = self.file.read(frame.length), declared

    def _next(self, position: int) -> int:
        """Find where the next frame begins, -1 if there is none."""
        last = self.stop if self.parts else min(self.stop, self.start + _FIRST_WITHIN)
        while position < last:
            self.file.seek(position)
            data = self.file.read(min(_SEARCHED, last - position))
            offset = data.find(b"\xff")
            while offset >= 0:
                frame = _frame(self._head(position + offset))
                if frame and self._confirmed(position + offset, frame):
                    return position + offset
                offset = data.find(b"\xff", offset + 1)
            position += len(data) or last
        return -1

    def _confirmed(self, position: int, frame: _Frame) -> bool:
        """Return whether what looks like a frame is followed by another one, by a tag, or by nothing."""
        head = self._head(position + frame.length)
        following = _frame(head)
        return not head or bool(_tag_length(head)) or (following is not None and following.goes_on(frame))

    def _head(self, position: int) -> bytes:
        if position >= self.stop:
            return b""
        self.file.seek(position)
        return self.file.read(min(_LOOKED_AT, self.stop - position))


def _declared(frame: _Frame, head: bytes) -> int | None:
    """Return how many frames a table counts, 0 if it does not say; None if this frame is no table."""
    at = frame.table_at
    if head[at : at + 4] in (b"Xing", b"Info") and not any(head[_HEAD_BYTES + 2 : at]):
        return int.from_bytes(head[at + 8 : at + 12], "big") if head[at + 7] & _COUNTS else 0
    if head[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        return int.from_bytes(head[_VBRI_COUNT_AT : _VBRI_COUNT_AT + 4], "big")
    return None


def _table(part: _Part) -> bytes:
    """A frame with a table that counts the part as it is; what it says of delay is kept."""
    at = part.first.table_at
    if part.table[at : at + 4] not in (b"Xing", b"Info") or not part.table[at + 7] & _COUNTS:
        return _new_table(part)
    if part.right:
        return part.table
    table = bytearray(part.table)
    table[at + 8 : at + 12] = part.frames.to_bytes(4, "big")
    if part.declared > part.frames:  # what would be cut off as padding is not there
        flags = table[at + 7]
        at += 8 + 4 * bool(flags & _COUNTS) + 4 * bool(flags & _COUNTS_BYTES)
        at += 100 * bool(flags & _HAS_PLACES) + 4 * bool(flags & _HAS_QUALITY) + _PADDING_AT
        if at + 1 < len(table):
            table[at : at + 2] = bytes([table[at] & 0xF0, 0])
    return bytes(table)


def _new_table(part: _Part) -> bytes:
    mode = part.head[3]
    for bit_rate in range(1, 15):
        head = bytes([0xFF, part.head[1] | 1, bit_rate << 4 | part.head[2] & 0x0C, mode])  # no checksum, no padding
        frame = _frame(head)
        if frame is not None and frame.length >= _LARGEST_TABLE:
            break
    assert frame is not None, "the head differs from that of a frame in its bit rate alone"
    table = head + bytes(frame.table_at - _HEAD_BYTES) + b"Xing" + _COUNTS.to_bytes(4, "big")
    return (table + part.frames.to_bytes(4, "big")).ljust(frame.length, b"\0")


def _tag_length(head: bytes) -> int:
    """Length of the tag that begins here, 0 if none does: ID3v2, ID3v1 or APE."""
    if head[:3] == b"ID3" and len(head) >= 10:
        length = 0
        for byte in head[6:10]:
            length = length << 7 | byte & 127
        return length + (20 if head[5] & 0x10 else 10)
    if head[:3] == b"TAG":
        return 227 if head[3:4] == b"+" else 128
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        return 32 + (int.from_bytes(head[12:16], "little") if head[23] & 0x20 else 0)  # 0x20: this is its head
    return 0


def _frame(head: bytes) -> _Frame | None:
    """Parse the four bytes at the head of a frame of layer 3; None if they are no such thing."""
    if len(head) < _HEAD_BYTES or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in (_VERSION_25, _VERSION_2, _VERSION_1) or layer != _LAYER_3 or bit_rate in (0, 15) or rate == 3:
        return None
    sample_rate = _RATES[rate] // {_VERSION_1: 1, _VERSION_2: 2, _VERSION_25: 4}[version]
    samples = 1152 if version == _VERSION_1 else 576
    kbps = _KBPS[version == _VERSION_1][bit_rate]
    return _Frame(samples // 8 * kbps * 1_000 // sample_rate + padding, samples, sample_rate, head[3] >> 6 == _MONO)
