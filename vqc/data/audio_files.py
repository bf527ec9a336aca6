"""Audio files, streamed: blocks of samples come out of them, and sample-rate conversion of such blocks.

Samples are float32 [n, C] with full scale at -1 and 1. Nothing here holds a whole file, however long it is.

What libsndfile would read wrongly is found by looking into the file first (`_look`). For what is broken off there is
one rule: a format that marks where it ends (FLAC, Ogg) must not stop before; of one that does not (WAV, AIFF, MP3 and
the like) what is there is read, with a warning.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vqc.data import flac, mp3, mpg123, ogg, sound_headers
from vqc.data.ffmpeg import decode_sound
from vqc.data.file_signatures import HEAD_BYTES, image_format_of, kind_of_bytes, needs_ffmpeg, not_media
from vqc.data.media_type import AnyFile
from vqc.data.recording import Recording
from vqc.data.splice import ByteRange, file_size, splice
from vqc.errors import MediaError, MediaWarning
from vqc.format.container import MAGIC
from vqc.format.shapes import MAX_CHANNELS, SAMPLE_RATES

Samples = NDArray[np.float32]

BLOCK = 65_536  # samples per channel in a block, unless asked otherwise
FULL_SCALE = 1.001  # and no more: the largest 16-bit numbers are made 1 in more ways than one

_READABLE = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})  # codings that hold more than full scale on purpose


class SoundStream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that never seeks.

    soundfile seeks to where it is after every read, and seeking restarts the decoders of MP3, Opus and Vorbis: the
    samples after it would then depend on the size of the blocks.
    """

    def seekable(self) -> bool:
        return False


class AudioReader:
    """An open audio file.

    `sample_rate` in Hz, `channels`, and `frames`: samples per channel, as declared. `channel_mask` says where the
    channels stand, as in WAV (0: not known); None if they stand as this number of channels usually does. `tags`: title,
    artist and the like, by libsndfile's names.
    """

    def __init__(self, source: AnyFile, *, name: str | None = None) -> None:
        """Open a WAV, FLAC, OGG (Vorbis, Opus or FLAC), MP3, AIFF, AU, CAF or W64 file; with the extra `av` others.

        Warns (`MediaWarning`) of a file that may not be whole.

        Args:
            source: a path, the bytes of a file, or a binary file object that can seek.
            name: how errors call the audio; the path when left out.

        Raises:
            MediaError: missing, empty, damaged, of another format, or with a rate or channels that make no sense.
        """
        self.name = name or (os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the audio")
        self._own = _opened(source, self.name) if isinstance(source, (str, os.PathLike, bytes)) else None
        self._file: SoundStream | None = None
        self._decoded: BinaryIO | None = None  # what FFmpeg made of the source
        try:
            self._start(source)
            for doubt in self._found.doubts:
                warnings.warn(MediaWarning(f"{self.name}: {doubt}"), stacklevel=2)
        except BaseException:
            self.close()
            raise

    def blocks(self, samples: int = BLOCK) -> Iterator[Samples]:
        """All of the file, once, in blocks [n, C] of at most `samples`, none of them empty.

        The channels are in the order of WAV. Warns at the end if peaks were above full scale in a file of floats.

        Raises:
            MediaError: the file is damaged or shorter than it declares, or holds values that are not numbers.
        """
        count, peak = 0, 0.0
        for part in self._parts:
            for block in self._blocks_of(part, samples, count):
                if not np.isfinite(block).all():
                    raise MediaError(f"{self.name}: holds values that are not numbers; repair it with an audio program")
                count += len(block)
                peak = max(peak, float(np.abs(block).max()))
                yield block if self._order is None else block[:, self._order]
        # MP3 that is cut short has been told of, and what a decoder leaves off at the ends is not exactly known.
        if count == 0 or (count < self.frames and not self._is_mp3):
            raise self._cut_short(count)
        if self._is_float and peak > FULL_SCALE:
            warnings.warn(MediaWarning(f"{self.name}: {clipping(peak)}"), stacklevel=2)

    def read(self) -> Samples:
        """All of the file at once, [T, C]."""
        return np.concatenate([np.zeros((0, self.channels), np.float32), *self.blocks()])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        for file in (self._own, self._decoded):
            if file is not None:
                file.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, source: AnyFile) -> None:
        """Look into the file and opens the first of its parts, of several also the others for a moment."""
        file = self._own or source
        assert not isinstance(file, (str, bytes, os.PathLike)), "paths and bytes have been opened"
        self._begin = _head(file, self.name)
        decoded = decode_sound(file, self.name) if needs_ffmpeg(self._begin) else None
        if decoded is not None:
            self._decoded = source = file = decoded.file
        self._found, self._is_mp3 = _look(file, self.name)
        # libsndfile seeks before the begin of damaged files, which in its own files and in spliced ones does no harm.
        whole = (
            os.fspath(source)
            if isinstance(source, (str, os.PathLike))
            else splice(file, [ByteRange(0, file_size(file))])
        )
        self._parts = self._found.parts or (whole,)
        self._file = first = self._open(self._parts[0])
        self.sample_rate: int = first.samplerate
        self.channels: int = first.channels
        self.frames: int = first.frames
        self.tags: dict[str, str] = first.copy_metadata() if decoded is None else decoded.tags
        self._is_mp3 |= first.format == "MP3"
        self._is_float = first.subtype in _FLOATS
        for part in self._parts[1:]:
            with self._open(part) as other:
                if (other.samplerate, other.channels) != (self.sample_rate, self.channels):
                    raise MediaError(f"{self.name}: is put together from files of other sorts; convert each on its own")
                self.frames += other.frames
        self._check(first)
        places = self._found.places or ()
        self._order = np.argsort(places) if len(places) == self.channels else None
        self.channel_mask = self._found.channel_mask if decoded is None else decoded.channel_mask

    def _open(self, part: str | BinaryIO) -> SoundStream:
        try:
            if not isinstance(part, str):
                part.seek(0)
            with self._muted():
                return SoundStream(part)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: it takes .raw for headerless samples
            raise _unreadable(self.name, self._begin) from error

    def _blocks_of(self, part: str | BinaryIO, samples: int, before: int) -> Iterator[Samples]:
        """The blocks of one part, as they stand in the file; `before` have been read of other parts."""
        if self._file is None or part is not self._parts[0]:
            if self._file is not None:
                self._file.close()
            self._file = self._open(part)
        while True:
            try:
                with self._muted():
                    block: Samples = self._file.read(samples, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise self._cut_short(before) from error
            if not len(block):
                return
            before += len(block)
            yield block

    def _muted(self) -> AbstractContextManager[None]:
        return mpg123.quiet() if self._is_mp3 else nullcontext()

    def _check(self, first: SoundStream) -> None:
        if first.format not in _READABLE:
            raise _unreadable(self.name, self._begin)
        if self.sample_rate not in SAMPLE_RATES:
            raise MediaError(f"{self.name}: a sample rate of {self.sample_rate:,} Hz makes no sense; convert it first")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise MediaError(
                f"{self.name}: has {self.channels:,} channels and at most {MAX_CHANNELS} are supported; split it"
            )
        if self.frames < 1:
            raise MediaError(f"{self.name}: holds no samples; nothing can be made of it")

    def _cut_short(self, count: int) -> MediaError:
        return MediaError(
            f"{self.name}: is damaged or cut short: of {self.frames:,} samples {count:,} can be read; get it again"
        )


def clipping(peak: float) -> str:
    """Say that samples reach `peak`, where full scale is 1."""
    return f"has peaks {20 * np.log10(peak):.1f} dB above full scale, which are clipped; make it quieter first"


class Resampler:
    """Convert a stream of blocks to another sample rate (soxr, high quality), however it is cut into blocks."""

    def __init__(self, source_rate: int, target_rate: int, channels: int) -> None:
        """Rates are in Hz; equal ones make a copy."""
        self._channels = channels
        same = source_rate == target_rate
        self._stream = None if same else soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32")

    def process(self, block: Samples) -> Samples:
        """Convert one more block [n, C] to [m, C], at times empty."""
        return block if self._stream is None else self._convert(block, last=False)

    def finish(self) -> Samples:
        """The rest [m, C], once there are no more blocks. Altogether it is the same duration, rounded half up."""
        rest = np.zeros((0, self._channels), np.float32)
        return rest if self._stream is None else self._convert(rest, last=True)

    def _convert(self, block: Samples, *, last: bool) -> Samples:
        assert self._stream is not None, "equal rates need no stream"
        result: Samples = self._stream.resample_chunk(np.ascontiguousarray(block, np.float32), last=last)
        return result.reshape(-1, self._channels)


def resample(blocks: Iterable[Samples], source_rate: int, target_rate: int, channels: int) -> Iterator[Samples]:
    """Blocks [n, C] at one rate as blocks at another, none of them empty: the same duration, rounded half up."""
    resampler = Resampler(source_rate, target_rate, channels)
    piece = max(1, BLOCK * source_rate // max(source_rate, target_rate))  # so that no result is much above a block
    for block in blocks:
        for start in range(0, len(block), piece):
            if len(result := resampler.process(block[start : start + piece])):
                yield result
    if len(result := resampler.finish()):
        yield result


def read_mono(path: str | os.PathLike[str], sample_rate: int | None = None) -> tuple[Samples, int]:
    """Read a recording as the mean of its channels, float32 [T] in [-1, 1], and its rate in Hz.

    Args:
        sample_rate: that it is resampled to; None keeps its own.

    Raises:
        MediaError: as `AudioReader`.
    """
    with AudioReader(path) as reader:
        mono = (block.mean(axis=1, keepdims=True, dtype=np.float32) for block in reader.blocks())  # [n, 1]
        rate = sample_rate or reader.sample_rate
        blocks = list(resample(mono, reader.sample_rate, rate, 1))
    return np.concatenate([np.zeros((0, 1), np.float32), *blocks])[:, 0], rate


def _opened(source: str | os.PathLike[str] | bytes, name: str) -> BinaryIO:
    """The source as a file; this also says what is wrong with a path, which libsndfile does not."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error


def _head(file: BinaryIO, name: str) -> bytes:
    try:
        file.seek(0)
        return file.read(HEAD_BYTES)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error


def _look(file: BinaryIO, name: str) -> tuple[Recording, bool]:
    """Find out how the file is to be read, and whether libmpg123 will read it."""
    try:
        file.seek(0)
        mark = file.read(4)
        if not mark:
            raise MediaError(f"{name}: is an empty file; get it again")
        if mark == ogg.MARK:
            return ogg.inspect_ogg(file, name), False
        if mark == flac.MARK:
            return flac.inspect_flac(file, name), False
        if mark in sound_headers.MARKS:
            found = sound_headers.inspect_header(file)
            return found, found.is_mp3
        return mp3.inspect_mp3(file), True
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error


def _unreadable(name: str, head: bytes) -> MediaError:
    """The error for what libsndfile cannot read: it says what the file is, if its beginning tells."""
    if head.startswith(MAGIC):
        return MediaError(f"{name}: is a .vqc file, and this takes recordings; restore it with decompress")
    if image_format_of(head):
        return MediaError(f"{name}: is an image, and this takes recordings; give it one")
    if kind_of_bytes(head):
        return not_media(name, head)
    return MediaError(f"{name}: not a WAV, FLAC, OGG, Opus or MP3 file, or damaged; convert it to WAV or FLAC")
