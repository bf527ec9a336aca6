"""Audio files, streamed: blocks of samples in, blocks of samples out, and sample-rate conversion between them.

Samples are float32 [n, C] with full scale at -1 and 1. Nothing here holds a whole file, however long it is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, cast

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vqc.data.mp3 import count_samples
from vqc.data.suffixes import usual_suffixes, written_as
from vqc.errors import MediaError, OptionError, OutputError

Samples = NDArray[np.float32]
Source = str | os.PathLike[str] | bytes | BinaryIO

BLOCK = 65_536  # samples per channel in a block, unless asked otherwise
MAX_CHANNELS = 255
SAMPLE_RATES = range(1_000, 1_000_001)  # in Hz; what is outside is a mistake

_READABLE = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3"})
_FORMAT_OF_SUFFIX = written_as("audio")
# format → libsndfile's names of container and coding
_CODING = MappingProxyType(
    {
        "wav": ("WAV", "PCM_16"),
        "flac": ("FLAC", "PCM_16"),
        "ogg": ("OGG", "VORBIS"),
        "opus": ("OGG", "OPUS"),
        "mp3": ("MP3", "MPEG_LAYER_III"),
    }
)
_RATES = MappingProxyType(
    {
        "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
        "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    }
)
_LONGEST_WAV = 2**32 - 2**16  # bytes: its length field has 32 bits
_MP3_PADDING = 3 * 1_152  # samples that a decoder may leave off at both ends
_PIECE = 4_096  # samples given to libsndfile at a time; its Vorbis encoder puts a whole call on the stack


class _Stream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that never seeks.

    soundfile seeks to where it is after every read, and seeking restarts the decoders of MP3, Opus and Vorbis: the
    samples after it would then depend on the size of the blocks.
    """

    def seekable(self) -> bool:
        return False


class _Kept:
    """A file to write to that keeps its failures: raised in a callback of libsndfile they would be printed and lost."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self.file.seek(offset, whence)  # which writes what is buffered
        except OSError as error:
            self.error = error
            return -1

    def tell(self) -> int:
        return self.file.tell()

    def read(self, count: int) -> bytes:
        return self.file.read(count)


class AudioReader:
    """An open audio file: `sample_rate` in Hz, `channels`, and `frames`: samples per channel, as declared."""

    def __init__(self, source: Source, *, name: str | None = None) -> None:
        """Opens a WAV, FLAC, OGG (Vorbis or Opus), MP3, AIFF, AU, CAF or W64 file.

        Args:
            source: a path, the bytes of a file, or a binary file object that can seek.
            name: how errors call the audio; the path when left out.

        Raises:
            MediaError: missing, empty, damaged, of another format, or with a rate or channels that make no sense.
        """
        self.name = name or (os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the audio")
        self._file = _open(source, self.name)
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int = self._file.frames
        try:
            self._check()
            if self._file.format == "MP3":
                self._check_mp3(source)
        except MediaError:
            self.close()
            raise

    def blocks(self, samples: int = BLOCK) -> Iterator[Samples]:
        """All of the file, once, in blocks [n, C] of at most `samples`, none of them empty.

        Raises:
            MediaError: the file is damaged or shorter than it declares, or holds values that are not numbers.
        """
        count = 0
        while True:
            try:
                block: Samples = self._file.read(samples, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise self._cut_short(count) from error
            if not len(block):
                break
            if not np.isfinite(block).all():
                raise MediaError(f"{self.name}: holds values that are not numbers; repair it with an audio program")
            count += len(block)
            yield block
        # The header of an MP3 often still counts what was cut off on purpose.
        if count == 0 or (count < self.frames and self._file.format != "MP3"):
            raise self._cut_short(count)

    def read(self) -> Samples:
        """All of the file at once, [T, C]."""
        return np.concatenate([np.zeros((0, self.channels), np.float32), *self.blocks()])

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._file.format not in _READABLE:
            raise _unreadable(self.name)
        if self.sample_rate not in SAMPLE_RATES:
            raise MediaError(f"{self.name}: a sample rate of {self.sample_rate:,} Hz makes no sense; convert it first")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise MediaError(
                f"{self.name}: has {self.channels:,} channels and at most {MAX_CHANNELS} are supported; split it"
            )
        if self.frames < 1:
            raise MediaError(f"{self.name}: holds no samples; nothing can be made of it")

    def _check_mp3(self, source: Source) -> None:
        with _bytes_of(source) as file:
            counted = count_samples(file)
        if counted is not None and counted > self.frames + _MP3_PADDING:
            raise MediaError(f"{self.name}: the MP3 does not tell its length; convert it to WAV or FLAC")

    def _cut_short(self, count: int) -> MediaError:
        return MediaError(
            f"{self.name}: is damaged or cut short: of {self.frames:,} samples {count:,} can be read; get it again"
        )


class AudioWriter:
    """An audio file being written; `close` (or leaving the `with` block) completes it."""

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        sample_rate: int,
        channels: int,
        *,
        format: str | None = None,  # noqa: A002, the word soundfile uses as well
        name: str | None = None,
    ) -> None:
        """Starts a wav or flac (16-bit), ogg (Vorbis), opus or mp3 file, over an existing one.

        Args:
            target: a path, or a binary file object that can seek.
            format: as above; that of the path's suffix when left out.
            name: how errors call the file; the path when left out.

        Raises:
            OptionError: the format or suffix is none of these.
            OutputError: the file cannot be written, or cannot hold this sample rate or so many channels.
        """
        is_path = isinstance(target, (str, os.PathLike))
        self.name = name or (os.fspath(target) if isinstance(target, (str, os.PathLike)) else "the audio")
        assert format or is_path, "a file object has no suffix to tell the format"
        self._format = format or audio_format(self.name)
        if self._format not in _CODING:
            raise OptionError(f"audio is written as {', '.join(_CODING)}, not as {self._format}")
        check_writable(self._format, sample_rate, channels, name=self.name)
        self._kept = None if isinstance(target, (str, os.PathLike)) else _Kept(target)
        self._file = self._create(self._kept or os.fspath(cast(str, target)), sample_rate, channels)
        self._bytes = 0

    def write(self, block: Samples) -> None:
        """Appends samples [n, C]; what exceeds full scale is clipped.

        Raises:
            OutputError: the file cannot be written further.
        """
        self._bytes += 2 * block.size
        if self._format == "wav" and self._bytes > _LONGEST_WAV:
            raise OutputError(f"{self.name}: a WAV file ends at 4 GiB; write .flac")
        for start in range(0, len(block), _PIECE):
            try:
                self._file.write(self._scaled(block[start : start + _PIECE]))
            except (soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts that all was written
                self._check_kept()
                raise OutputError(f"{self.name}: cannot be written; is the disk full?") from error

    def close(self) -> None:
        """Raises OutputError when the last of it cannot be written."""
        self._file.close()
        self._check_kept()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _check_kept(self) -> None:
        error = self._kept and self._kept.error
        if error:
            what = error.strerror or error
            raise OutputError(f"{self.name}: cannot be written: {what}; make room or choose another output") from error

    def _create(self, target: str | _Kept, sample_rate: int, channels: int) -> _Stream:
        container, coding = _CODING[self._format]
        try:
            if isinstance(target, str):
                with Path(target).open("ab"):  # says why not, which libsndfile does not
                    pass
            return _Stream(target, "w", sample_rate, channels, format=container, subtype=coding)
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror or error}") from error
        except soundfile.SoundFileError as error:
            what = f"{channels} channels at {sample_rate:,} Hz"
            raise OutputError(f"{self.name}: {self._format} cannot hold {what}; write .wav") from error

    def _scaled(self, block: Samples) -> NDArray[np.int16] | Samples:
        """16-bit numbers as readers divide them by 2^15, so that writing what was read changes nothing."""
        if self._format in ("wav", "flac"):
            numbers: NDArray[np.int16] = np.clip(np.rint(block * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
            return numbers
        return np.clip(block, -1, 1)


def audio_format(path: str | os.PathLike[str]) -> str:
    """The format that the suffix of a path asks for: wav, flac, ogg, opus or mp3; OptionError for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMAT_OF_SUFFIX:
        choice = ", ".join(usual_suffixes("audio"))
        raise OptionError(f"{os.fspath(path)}: audio is written with one of the suffixes {choice}; choose one of these")
    return _FORMAT_OF_SUFFIX[suffix]


def check_writable(format: str, sample_rate: int, channels: int, *, name: str = "the audio") -> None:  # noqa: A002
    """OutputError when files of a format cannot have this sample rate in Hz; call it before slow work."""
    rates = _RATES.get(format, ())
    if rates and sample_rate not in rates:
        known = ", ".join(f"{rate / 1000:g}" for rate in rates)
        raise OutputError(
            f"{name}: {format} files have sample rates of {known} kHz and this audio has {sample_rate / 1000:g} kHz;"
            " write .ogg, .flac or .wav"
        )
    if format == "mp3" and channels > 2:
        raise OutputError(
            f"{name}: mp3 files have at most 2 channels and this audio has {channels}; write .flac or .wav"
        )


class Resampler:
    """Converts a stream of blocks to another sample rate (soxr, high quality), however it is cut into blocks."""

    def __init__(self, source_rate: int, target_rate: int, channels: int) -> None:
        """Rates are in Hz; equal ones make a copy."""
        self._channels = channels
        same = source_rate == target_rate
        self._stream = None if same else soxr.ResampleStream(source_rate, target_rate, channels, dtype="float32")

    def process(self, block: Samples) -> Samples:
        """What can be said after one more block [n, C]: [m, C], at times empty."""
        return block if self._stream is None else self._convert(block, last=False)

    def finish(self) -> Samples:
        """The rest [m, C], once there are no more blocks. Altogether `resampled_length` samples have come out."""
        rest = np.zeros((0, self._channels), np.float32)
        return rest if self._stream is None else self._convert(rest, last=True)

    def _convert(self, block: Samples, *, last: bool) -> Samples:
        assert self._stream is not None, "equal rates need no stream"
        result: Samples = self._stream.resample_chunk(np.ascontiguousarray(block, np.float32), last=last)
        return result.reshape(-1, self._channels)


def resample(blocks: Iterable[Samples], source_rate: int, target_rate: int, channels: int) -> Iterator[Samples]:
    """Blocks [n, C] at one rate as blocks at another, none of them empty; `resampled_length` samples altogether."""
    resampler = Resampler(source_rate, target_rate, channels)
    piece = max(1, BLOCK * source_rate // max(source_rate, target_rate))  # so that no result is much above a block
    for block in blocks:
        for start in range(0, len(block), piece):
            if len(result := resampler.process(block[start : start + piece])):
                yield result
    if len(result := resampler.finish()):
        yield result


def resampled_length(samples: int, source_rate: int, target_rate: int) -> int:
    """How many samples `resample` makes of so many: the same duration, rounded half up. It can be 0."""
    return (2 * samples * target_rate + source_rate) // (2 * source_rate)


def _open(source: Source, name: str) -> _Stream:
    try:
        with _bytes_of(source) as file:  # this also says what is wrong with a path, which libsndfile does not
            if not file.read(1):
                raise MediaError(f"{name}: is an empty file; get it again")
        if isinstance(source, (str, os.PathLike)):
            return _Stream(os.fspath(source))
        return _Stream(io.BytesIO(source) if isinstance(source, bytes) else source)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: it takes .raw for headerless samples
        raise _unreadable(name) from error


@contextmanager
def _bytes_of(source: Source) -> Iterator[BinaryIO]:
    """The source as a file to look into; one that was given stands where it stood afterwards."""
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as file:
            yield file
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        position = source.tell()
        source.seek(0)
        yield source
        source.seek(position)


def _unreadable(name: str) -> MediaError:
    return MediaError(f"{name}: not a WAV, FLAC, OGG, Opus or MP3 file, or damaged; convert it to WAV or FLAC")
