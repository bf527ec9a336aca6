"""A file made of pieces of another one and of a few bytes of our own, without a copy of it.

table | ......frames...... | tag | ....frames....        the file
bytes   ByteRange                       ByteRange                  the pieces
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple, cast

_BUFFER_BYTES = 65_536


class ByteRange(NamedTuple):
    """The bytes from `start` to `stop` of a file."""

    start: int
    stop: int


def splice(file: BinaryIO, pieces: Sequence[ByteRange | bytes]) -> BinaryIO:
    """Return the pieces in sequence as a file to read. It moves the position of `file` and leaves it open."""
    return cast(BinaryIO, io.BufferedReader(_Spliced(file, pieces), _BUFFER_BYTES))


def file_size(file: BinaryIO) -> int:
    """Its length in bytes; the position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


class _Spliced(io.RawIOBase):
    def __init__(self, file: BinaryIO, pieces: Sequence[ByteRange | bytes]) -> None:
        self._file, self._pieces = file, [piece for piece in pieces if _length(piece)]
        self._ends = list(accumulate(map(_length, self._pieces)))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._ends[-1] if self._ends else 0}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the piece at the position reaches."""
        index = bisect_right(self._ends, self._position)
        if index == len(self._pieces):
            return 0
        piece, end = self._pieces[index], self._ends[index]
        view = memoryview(buffer).cast("B")
        length, offset = min(len(view), end - self._position), self._position - end + _length(piece)
        if isinstance(piece, bytes):
            data = piece[offset : offset + length]
        else:
            self._file.seek(piece.start + offset)
            data = self._file.read(length)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def _length(piece: ByteRange | bytes) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.stop - piece.start
