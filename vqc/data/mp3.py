"""How long an MP3 is, counted frame by frame.

libsndfile believes the table at the start of an MP3 (Xing, Info or VBRI). Where there is none, as in streams and in
recordings that were cut, it guesses from the bit rate of the first frame and stops reading there: with a variable bit
rate a large part of the audio would be lost without a word. So such files are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_TABLES = (b"Xing", b"Info", b"VBRI")
_KBPS = {  # by whether the frame is MPEG-1, for layer 3
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)  # of MPEG-1; MPEG-2 halves them, MPEG-2.5 halves them again
_VERSION_25, _VERSION_2, _VERSION_1 = 0, 2, 3
_LAYER_3 = 1


class _Frame(NamedTuple):
    length: int  # bytes, header included
    samples: int  # per channel


def count_samples(file: BinaryIO) -> int | None:
    """Samples per channel of the MP3 that begins where the file stands, or None if it says so itself.

    The count ends at the first thing that is no frame, such as a tag at the end.
    """
    start = file.tell()
    start += _id3_length(file.read(10))
    file.seek(start)
    first = file.read(1_500)  # longer than any frame
    frame = _frame(first[:4])
    if frame is None or any(table in first[: frame.length] for table in _TABLES):
        return None
    file.seek(start)
    return sum(frame.samples for frame in _frames(file))


def _frames(file: BinaryIO) -> Iterator[_Frame]:
    while (frame := _frame(file.read(4))) is not None:
        yield frame
        file.seek(frame.length - 4, 1)


def _id3_length(head: bytes) -> int:
    """Length of the ID3v2 tag at the beginning, 0 if there is none."""
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 127
    return 10 + length


def _frame(head: bytes) -> _Frame | None:
    """What the four bytes at the head of a frame of layer 3 say; None if they are no such thing."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in (_VERSION_25, _VERSION_2, _VERSION_1) or layer != _LAYER_3 or bit_rate in (0, 15) or rate == 3:
        return None
    sample_rate = _RATES[rate] // {_VERSION_1: 1, _VERSION_2: 2, _VERSION_25: 4}[version]
    samples = 1152 if version == _VERSION_1 else 576
    kbps = _KBPS[version == _VERSION_1][bit_rate]
    return _Frame(samples // 8 * kbps * 1_000 // sample_rate + padding, samples)
