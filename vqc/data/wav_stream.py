"""Sound that comes through a pipe: a WAV file whose length nobody knows when it begins, or samples without a header.

Recorders and converters write a length of 0 into the header of a WAV file that they send away, or the largest there is.
Nothing is sought here, and blocks are what has come so far, however little.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vqc.data.audio_files import BLOCK, Samples
from vqc.data.channel_layout import default_mask, unless_default
from vqc.data.sound_headers import UNKNOWN_WAV
from vqc.errors import MediaError
from vqc.format.shapes import MAX_CHANNELS, SAMPLE_RATES

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_BEFORE = 2**20  # bytes of chunks before the sound
_INTEGERS = {8: "u1", 16: "<i2", 24: "u1", 32: "<i4"}  # by their bits; of 24 there is no type
_FLOATS = {32: "<f4", 64: "<f8"}
_TYPES = MappingProxyType({_PCM: _INTEGERS, _FLOAT: _FLOATS})


class SoundFormat(NamedTuple):
    """How samples stand in bytes.

    coding: of a sample, as WAV numbers it: 1 is whole numbers, 3 floats. bits: of a sample.
    channel_mask: where the channels stand, as in WAV; None if they stand as so many usually do.
    """

    sample_rate: int
    channels: int
    coding: int = _PCM
    bits: int = 16
    channel_mask: int | None = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    def samples(self, data: bytes) -> Samples:
        """Whole frames of bytes as samples [n, C] with full scale at -1 and 1."""
        if self.bits == 24:
            parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
            numbers: NDArray[np.int32] = parts @ np.array([1 << 8, 1 << 16, 1 << 24], np.int32)
            values = numbers / 2.0**31
        elif self.coding == _FLOAT:
            values = np.frombuffer(data, _TYPES[self.coding][self.bits])
        else:
            values = np.frombuffer(data, _TYPES[self.coding][self.bits]) / 2.0 ** (self.bits - 1) - (self.bits == 8)
        return values.astype(np.float32).reshape(-1, self.channels)


class WavHead(NamedTuple):
    """The front of a WAV file up to its sound.

    data: its bytes.
    format: None where this is no such file, or of a coding that is not read here.
    length: bytes of sound that come; None where it does not say.
    """

    data: bytes
    format: SoundFormat | None = None
    length: int | None = None


def read_head(file: BinaryIO) -> WavHead:
    """Read what comes before the sound of a WAV file, and no more; of other files some bytes."""
    data = file.read(12)
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:] != b"WAVE":
        return WavHead(data)
    sound = None
    while len(data) < _MOST_BEFORE:
        head = file.read(8)
        data += head
        if len(head) < 8:
            break
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            is_known = length and not any(length in unknown for unknown in UNKNOWN_WAV)
            return WavHead(data, sound, length if is_known else None)
        if length > _MOST_BEFORE:
            break
        body = file.read(length + length % 2)
        data += body
        if name == b"fmt ":
            sound = _format_of(body)
    return WavHead(data)


class Arriving(Protocol):
    """What gives bytes as they come in."""

    def read1(self, count: int, /) -> bytes:
        """Bytes that are there, at most so many; wait for the first, and give none at the end."""


def blocks_of(file: Arriving, sound: SoundFormat) -> Iterator[Samples]:
    """Samples [n, C] as they come in, up to the end.

    Raises:
        MediaError: they are not numbers, or cannot be read.
    """
    rest = b""
    while True:
        try:
            data = file.read1(BLOCK)
        except OSError as error:
            raise MediaError(f"the sound that comes in cannot be read: {error.strerror or error}") from error
        if not data:
            return
        data = rest + data
        whole = len(data) - len(data) % sound.frame_bytes
        rest = data[whole:]
        block = sound.samples(data[:whole])
        if not np.isfinite(block).all():
            raise MediaError("the sound that comes in holds values that are not numbers (NaN or infinity)")
        if len(block):
            yield block


def _format_of(body: bytes) -> SoundFormat | None:
    """What a chunk `fmt ` says; None where it cannot be read here."""
    if len(body) < 16:
        return None
    coding, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    mask = 0 if channels > 2 else default_mask(channels)
    if coding == _EXTENSIBLE and len(body) >= 40:
        (mask,), (coding,) = struct.unpack("<I", body[20:24]), struct.unpack("<H", body[24:26])
    if bits not in _TYPES.get(coding, {}) or sample_rate not in SAMPLE_RATES or not 1 <= channels <= MAX_CHANNELS:
        return None
    return SoundFormat(sample_rate, channels, coding, bits, None if mask is None else unless_default(mask, channels))
