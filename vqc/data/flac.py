"""FLAC files that do not tell how long they are, as encoders write them to a pipe: the last frame tells it.

libsndfile takes an unknown length for 2^63 samples and fails where the file ends; so the number is put into the header.
See RFC 9639, sections 8.2 (stream information), 9.1 (frame headers) and 9.3 (frame footers).
"""

from __future__ import annotations

from typing import BinaryIO

from vqc.data.recording import Recording
from vqc.data.splice import ByteRange, file_size, splice
from vqc.errors import MediaError

MARK = b"fLaC"
HEADER_BYTES = 42  # mark, head of the first block of metadata, and the block: information on the stream
_BLOCK_SIZE = slice(8, 10)
_TOTAL = slice(21, 26)  # 4 bits of something else, then the number of samples in 36 bits
_MOST_SAMPLES = 2**36 - 1
_WINDOWS = (2**16, 2**20, 2**24)  # bytes before the end in which a last frame is looked for; it is never larger
_TAG_BYTES = 128  # of an ID3v1 tag, which some programs append
_HEAD_BYTES = 16  # of a frame, at most


def inspect_flac(file: BinaryIO, name: str) -> Recording:
    """The recording of a FLAC file, of known length at any rate.

    Raises:
        MediaError: the length is unknown and the last frame is not whole.
    """
    file.seek(0)
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or samples_declared(header):
        return Recording()
    stop = file_size(file)
    file.seek(max(0, stop - _TAG_BYTES))
    stop -= _TAG_BYTES if file.read(3) == b"TAG" else 0
    samples = _samples_until(file, stop, int.from_bytes(header[_BLOCK_SIZE], "big"))
    if samples is None:
        raise MediaError(f"{name}: is damaged or cut short: its last frame is not whole; get it again")
    return Recording((splice(file, [with_samples(header, samples), ByteRange(HEADER_BYTES, stop)]),))


def samples_declared(header: bytes) -> int:
    """The number of samples per channel in the first `HEADER_BYTES` of a file; 0 is unknown."""
    return int.from_bytes(header[_TOTAL], "big") & _MOST_SAMPLES


def with_samples(header: bytes, samples: int) -> bytes:
    """The header with this number of samples."""
    total = int.from_bytes(header[_TOTAL], "big") & ~_MOST_SAMPLES | min(samples, _MOST_SAMPLES)
    return header[: _TOTAL.start] + total.to_bytes(5, "big") + header[_TOTAL.stop :]


def _samples_until(file: BinaryIO, stop: int, block_size: int) -> int | None:
    """Count the samples before `stop`, where a frame must end; None if none does."""
    for window in _WINDOWS:
        start = max(HEADER_BYTES, stop - window)
        file.seek(start)
        data = file.read(stop - start)
        position = data.rfind(b"\xff")
        while position >= 0:
            samples = _samples_after(data[position : position + _HEAD_BYTES], block_size)
            if samples and _crc(data[position:], 0x8005, 16) == 0:  # over the sum in the footer too
                return samples
            position = data.rfind(b"\xff", 0, position)
        if start == HEADER_BYTES:
            break
    return None


def _samples_after(head: bytes, block_size: int) -> int | None:
    """The number of the first sample after a frame, from the head of the frame; None if it is no such head."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or head[2] >> 4 == 0:
        return None
    length = max(1, 8 - (head[4] ^ 0xFF).bit_length())  # leading ones of the number, which is coded like UTF-8
    number = head[4] if length == 1 else head[4] & 0x7F >> length
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    code, at = head[2] >> 4, 4 + length
    more = {6: 1, 7: 2}.get(code, 0)  # bytes of the size of the block
    if more:
        size = int.from_bytes(head[at : at + more], "big") + 1
    else:
        size = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    at += more + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if len(head) <= at or _crc(head[:at], 0x07, 8) != head[at]:
        return None
    return (number if head[1] & 1 else number * block_size) + size


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """The cyclic redundancy check of FLAC: high bits first, beginning with 0."""
    table = [0] * 256
    for index in range(256):
        value = index << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 & 1 else 0)
        table[index] = value & (1 << bits) - 1
    result, mask = 0, (1 << bits) - 1
    for byte in data:
        result = result << 8 & mask ^ table[result >> bits - 8 ^ byte]
    return result
