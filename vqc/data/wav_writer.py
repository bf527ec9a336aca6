"""WAV files of 16 bits, with what libsndfile does not write: where channels stand, and more than 4 GiB (RF64).

See Microsoft's WAVEFORMATEXTENSIBLE and EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

from numpy.typing import NDArray

_SAMPLE_BYTES = 2
_LARGEST = 2**32 - 1  # what the fields for lengths hold; in RF64 they hold just this and the truth stands elsewhere
_LIMIT = _LARGEST - 2**16  # bytes of samples; the header counts as well
_PCM, _EXTENSIBLE = 1, 0xFFFE
_INFO = MappingProxyType(
    {
        "title": b"INAM", "artist": b"IART", "album": b"IPRD", "date": b"ICRD", "tracknumber": b"ITRK",
        "genre": b"IGNR", "copyright": b"ICOP", "comment": b"ICMT", "software": b"ISFT",
    }
)  # fmt: skip
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


class WavFile:
    """A WAV file being written; `close` completes it."""

    def __init__(
        self,
        file: BinaryIO,
        sample_rate: int,
        channels: int,
        *,
        mask: int | None,
        samples: int | None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Starts the file.

        Args:
            file: to write to, from where it stands; it must be able to seek if other samples come than expected, and
                may be a pipe otherwise.
            mask: where the channels stand; None: not said.
            samples: how many per channel are expected; None: nobody knows, and the header says so for ever.
            tags: title, artist and the like, by the names in `_INFO`.
        """
        self._info = _info(tags)
        self._file, self._rate, self._channels, self._mask = file, sample_rate, channels, mask
        self._expected, self._written = samples, 0
        self._start = 0 if samples is None else file.tell()
        self._large = samples is not None and _is_large(samples * channels * _SAMPLE_BYTES)
        file.write(self._header(samples))

    def write(self, numbers: NDArray[Any]) -> None:
        """Append samples int16 [n, C]. Raises OSError, or OverflowError when the file would be too large."""
        if (
            not self._large
            and self._expected is not None
            and _is_large((self._written + len(numbers)) * self._channels * _SAMPLE_BYTES)
        ):
            raise OverflowError
        self._file.write(numbers.astype("<i2", copy=False).tobytes())
        self._written += len(numbers)

    def close(self) -> None:
        """Complete the file; OSError when the last of it cannot be written."""
        self._file.write(self._info)
        if self._expected not in (None, self._written):
            self._file.seek(self._start)
            self._file.write(self._header(self._written))
            self._file.seek(0, 2)
        self._file.flush()

    def _header(self, samples: int | None) -> bytes:
        length = (samples or 0) * self._channels * _SAMPLE_BYTES
        kind = struct.pack(
            "<HHIIHH",
            _PCM if self._mask is None else _EXTENSIBLE,
            self._channels,
            self._rate,
            min(_LARGEST, self._rate * self._channels * _SAMPLE_BYTES),
            self._channels * _SAMPLE_BYTES,
            8 * _SAMPLE_BYTES,
        )
        if self._mask is not None:
            kind += struct.pack("<HHI", 22, 8 * _SAMPLE_BYTES, self._mask) + _PCM_GUID
        chunks = b"fmt " + struct.pack("<I", len(kind)) + kind
        if samples is None:
            unknown = struct.pack("<I", _LARGEST)
            return b"RIFF" + unknown + b"WAVE" + chunks + b"data" + unknown
        if not self._large:
            head = b"RIFF" + struct.pack("<I", 4 + len(chunks) + 8 + length + len(self._info))
            return head + b"WAVE" + chunks + b"data" + struct.pack("<I", length)
        sizes = struct.pack("<QQQI", 4 + 36 + len(chunks) + 8 + length + len(self._info), length, samples, 0)
        head = b"RF64" + struct.pack("<I", _LARGEST) + b"WAVEds64" + struct.pack("<I", len(sizes)) + sizes
        return head + chunks + b"data" + struct.pack("<I", _LARGEST)


def _info(tags: Mapping[str, str]) -> bytes:
    """The LIST chunk that holds tags; it stands behind the samples, whose length is even."""
    chunks = b""
    for name, mark in _INFO.items():
        if value := tags.get(name, "").encode(errors="replace"):
            chunks += mark + struct.pack("<I", len(value) + 1) + value + b"\0" * (1 + (len(value) + 1) % 2)
    return b"LIST" + struct.pack("<I", 4 + len(chunks)) + b"INFO" + chunks if chunks else b""


def _is_large(length: int) -> bool:
    return length > _LIMIT
