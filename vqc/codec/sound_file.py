"""A long recording read by range, in the manner of `soundfile.SoundFile`: `with vqc.open("talk.vqc") as file: ...`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.codec.audio_io import recordings_of
from vqc.codec.open import codec_for_file
from vqc.codec.read_write import SampleType, as_type
from vqc.codec.stored_file import VqcSource, part_of_file
from vqc.errors import MediaError, OptionError

_FARTHEST = 2**17  # samples: what lies so little ahead is passed over rather than sought
_NOWHERE = -_FARTHEST - 1


class SoundFile:
    """A `.vqc` file of audio, open for reading. `vqc.open` makes one.

    frames: samples per channel. samplerate: of them per second. channels: how many.
    """

    def __init__(self, file: VqcSource, *, sharp: bool = False, device: str = "auto", limit: int | None = None) -> None:
        self._opened = ExitStack()
        try:
            stored = self._opened.enter_context(part_of_file(file, limit))
            if stored.header.media != "audio":
                raise MediaError("the .vqc file holds an image; restore it with vqc.decompress, or open it with Pillow")
            shape, codec = stored.header.shape.as_audio, codec_for_file(stored.header, device, sharp=sharp)
            self._framing, self._reader = recordings_of(codec.framing), codec.reader(stored)
        except BaseException:
            self._opened.close()
            raise
        self.frames, self.samplerate, self.channels = shape.samples, shape.sample_rate, shape.channels
        self.closed, self._position = False, 0
        self._blocks: Iterator[NDArray[np.float32]] = iter(())
        self._next, self._rest = _NOWHERE, np.zeros((0, shape.channels), np.float32)  # `_next`: where `_rest` begins

    def seek(self, frames: int, whence: int = os.SEEK_SET) -> int:
        """Go to a sample, counted from the beginning, from here (SEEK_CUR) or from the end (SEEK_END); return which.

        Raises:
            OptionError: there is no such sample; just after the last is allowed.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.frames}
        if whence not in base or not 0 <= base[whence] + frames <= self.frames:
            raise OptionError(f"cannot seek to {frames}: the recording has {self.frames:,} samples")
        self._position = base[whence] + frames
        return self._position

    def tell(self) -> int:
        """The sample that is read next."""
        return self._position

    def seekable(self) -> bool:
        """True: every sample can be reached."""
        return True

    def read(self, frames: int = -1, dtype: SampleType = "float32", *, always_2d: bool = False) -> NDArray[Any]:
        """Read so many samples from here on, fewer at the end; all that are left for -1.

        They are those that the whole file is restored to, bit for bit, as an array [T] of one channel or [T, C].

        Args:
            dtype: "float32", "float64", "int16" or "int32".
            always_2d: give [T, 1] for one channel as well.

        Raises:
            ContainerError: the file is damaged there.
            OptionError: the file is closed.
        """
        if self.closed:
            raise OptionError("the file is closed; open it again")
        left = self.frames - self._position
        count = left if frames < 0 else min(frames, left)
        if count and not 0 <= self._position - self._next <= _FARTHEST:
            self._blocks, self._next = self._framing.join_from(self._reader, self._position), self._position
            self._rest = self._rest[:0]
        if count:
            self._take(self._position - self._next)  # passed over
        samples = self._take(count) if count else self._rest[:0]
        self._position += count
        return as_type(samples, dtype, always_2d=always_2d)

    def blocks(
        self, blocksize: int, dtype: SampleType = "float32", *, always_2d: bool = False
    ) -> Iterator[NDArray[Any]]:
        """Yield what is left in blocks of so many samples; the last may be shorter."""
        while self._position < self.frames:
            yield self.read(blocksize, dtype, always_2d=always_2d)

    def close(self) -> None:
        """Close the file; what is asked of it afterwards is an error."""
        self.closed = True
        self._opened.close()

    def __len__(self) -> int:
        return self.frames

    def __enter__(self) -> SoundFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, count: int) -> NDArray[np.float32]:
        """The next `count` samples [n, C], which there are."""
        parts, length = [self._rest], len(self._rest)
        try:
            while length < count:
                parts.append(next(self._blocks))
                length += len(parts[-1])
        except BaseException:
            self._next = _NOWHERE  # a generator that failed gives nothing more
            raise
        joined = np.concatenate(parts)
        self._rest, self._next = joined[count:].copy(), self._next + count
        return joined[:count]


def open(  # noqa: A001, as soundfile and tarfile call theirs
    file: VqcSource, *, sharp: bool = False, device: str = "auto", limit: int | None = None
) -> SoundFile:
    """Open a `.vqc` file of audio, to read samples by range.

    Of a long file no more is read than what is asked for, and the checksums of that are looked at. A shorter one is
    read whole.

    Args:
        file: path, the bytes of a file, or a file, open for reading.
        sharp: restore with the model's sharp decoder.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of samples per channel to believe; 2^36 when left out.

    Raises:
        MediaError: the file cannot be read, or is an image.
        ContainerError, ModelNotFoundError, OptionError: as `vqc.decompress`.
    """
    return SoundFile(file, sharp=sharp, device=device, limit=limit)
