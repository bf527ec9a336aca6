"""Numbers, bytes and shapes as they stand in `.vqc` files and archives, read in checked steps."""

from __future__ import annotations

from vqc.errors import ContainerError
from vqc.format.shapes import (
    ALPHA,
    CHANNEL_MASK,
    CODE_OF_RATE,
    GRAYSCALE,
    MAX_CHANNELS,
    MID_SIDE,
    RATE_OF_CODE,
    SAMPLE_RATES,
    SILENCE,
    AudioShape,
    ImageShape,
    Shape,
)

VARINT_BYTES = 9  # at most: 63 bits
_LARGEST_MASK = 2**32 - 1


class ByteReader:
    """Takes bytes from the front, each step checked against what is there.

    Args:
        data: the bytes.
        file: what errors call them.

    Raises (every method):
        ContainerError: there are not so many bytes, or they cannot be what is read.
    """

    def __init__(self, data: bytes, file: str = "the .vqc file") -> None:
        self._data, self._file = data, file
        self._position = 0

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes, which errors call `what`."""
        if length > len(self._data) - self._position:
            raise self.damaged(what)
        self._position += length
        return self._data[self._position - length : self._position]

    def byte(self, what: str) -> int:
        """The next byte."""
        return self.take(1, what)[0]

    def varint(self, what: str) -> int:
        """The next number in LEB128."""
        position = self._position
        if position < len(self._data) and self._data[position] < 128:  # most of them
            self._position += 1
            return self._data[position]
        number = 0
        for index in range(VARINT_BYTES):
            byte = self.byte(what)
            number |= (byte & 127) << 7 * index
            if byte < 128:
                if byte == 0 and index > 0:
                    break  # a needless byte
                return number
        raise self.damaged(what)

    def varints(self, count: int, what: str) -> list[int]:
        """The next `count` numbers in LEB128."""
        data = self._data[self._position : self._position + count]
        if len(data) == count and data.isascii():  # a byte each, as most are
            self._position += count
            return list(data)
        return [self.varint(what) for _ in range(count)]

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(self.left, "rest")

    @property
    def left(self) -> int:
        """Number of bytes not taken yet."""
        return len(self._data) - self._position

    def damaged(self, what: str) -> ContainerError:
        """The error of something that cannot be right."""
        return ContainerError(f"{self._file} is damaged: its {what} cannot be right; get it again")


def varint(number: int) -> bytes:
    """A number in LEB128: 7 bits a byte, low bits first, 128 added to all bytes but the last."""
    parts = []
    while number >= 128:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def read_shape(reader: ByteReader, codec: int, flags: int) -> Shape:
    """The shape of what a kind of model with this number (odd: image, even: audio) restores."""
    return _read_image_shape(reader, flags) if codec % 2 else _read_audio_shape(reader, flags)


def write_shape(shape: Shape) -> bytes:
    """The numbers of a shape; its flags stand elsewhere."""
    return b"".join(map(varint, shape.numbers()))


def check_size(shape: Shape, limit: int | None, file: str = "the .vqc file") -> None:
    """Raise ContainerError for a shape of nothing, or over a limit (None: that of the format)."""
    largest, words = shape.largest if limit is None else limit, shape.size_in_words
    if shape.size == 0:
        raise ContainerError(f"{file} is damaged: it claims {words}; get it again")
    if shape.size > largest:
        raise ContainerError(f"{file} claims {words}, over the limit of {largest:,}; raise it if you trust the file")


def _read_image_shape(reader: ByteReader, flags: int) -> ImageShape:
    if flags & ~(GRAYSCALE | ALPHA):
        raise reader.damaged("flags")
    return ImageShape(
        width=reader.varint("width"),
        height=reader.varint("height"),
        grayscale=bool(flags & GRAYSCALE),
        alpha=bool(flags & ALPHA),
    )


def _read_audio_shape(reader: ByteReader, flags: int) -> AudioShape:
    samples = reader.varint("number of samples")
    code = reader.varint("sample rate")
    channels = reader.varint("number of channels")
    rate = RATE_OF_CODE.get(code, code)
    if rate not in SAMPLE_RATES or code in CODE_OF_RATE:
        raise reader.damaged("sample rate")
    if not 1 <= channels <= MAX_CHANNELS:
        raise reader.damaged("number of channels")
    mid_side, silence, masked = (bool(flags & flag) for flag in (MID_SIDE, SILENCE, CHANNEL_MASK))
    if flags > 7 or (mid_side and channels != 2) or (silence and channels != 1):
        raise reader.damaged("flags")
    mask = reader.varint("channel mask") if masked else None
    if mask is not None and mask > _LARGEST_MASK:
        raise reader.damaged("channel mask")
    return AudioShape(
        samples=samples, sample_rate=rate, channels=channels, mid_side=mid_side, silence=silence, channel_mask=mask
    )
