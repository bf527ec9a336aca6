"""Audio files being written, block by block.

Samples are float32 [n, C] with full scale at -1 and 1, the channels in the order of WAV.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from vqc.data.audio_files import Samples, SoundStream
from vqc.data.channel_layout import default_mask, equals_default, vorbis_order
from vqc.data.formats import check_quality, usual_suffixes, written_as
from vqc.data.wav_writer import WavFile
from vqc.errors import MediaWarning, OptionError, OutputError

_FORMAT_OF_SUFFIX = written_as("audio")
# format → libsndfile's names of container and coding; WAV is written here
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
_TAGS = frozenset(
    ("title", "copyright", "software", "artist", "comment", "date", "album", "license", "tracknumber", "genre")
)
_PIECE = 4_096  # samples given to libsndfile at a time; its Vorbis encoder puts a whole call on the stack


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


class AudioWriter:
    """An audio file being written; `close` (or leaving the `with` block) completes it."""

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        sample_rate: int,
        channels: int,
        *,
        format: str | None = None,
        channel_mask: int | None = None,
        samples: int | None = 0,
        tags: Mapping[str, str] = MappingProxyType({}),
        quality: int | None = None,
        name: str | None = None,
    ) -> None:
        """Start a wav or flac (16-bit), ogg (Vorbis), opus or mp3 file, over an existing one.

        Warns (`MediaWarning`) where the format cannot say where the channels stand.

        Args:
            target: a path, or a binary file object that can seek (but see `samples`).
            format: as above; that of the path's suffix when left out.
            channel_mask: where the channels stand, as in WAV; None: as this number usually does; 0: nobody knows.
            samples: how many per channel will come, if known: a wav file of more than 4 GiB starts as RF64. None: the
                header of a wav file leaves it open, and nothing is sought.
            tags: title, artist and the like, by libsndfile's names; others are left away.
            quality: of ogg, opus and mp3, 1 to 100; libsndfile's own choice when left out.
            name: how errors call the file; the path when left out.

        Raises:
            OptionError: the format has no quality, or the format or suffix is none of these.
            OutputError: the file cannot be written, or cannot hold this sample rate or number of channels.
        """
        path = os.fspath(target) if isinstance(target, (str, os.PathLike)) else None
        self.name = name or path or "the audio"
        assert format or path, "a file object has no suffix to tell the format"
        self._format = format or audio_format(self.name)
        if self._format not in _CODING:
            raise OptionError(f"audio is written as {', '.join(_CODING)}, not as {self._format}")
        check_quality(self._format, quality)
        self._level = None if quality is None else 1 - quality / 100  # 0 is best
        check_writable(self._format, sample_rate, channels, name=self.name)
        if self._format != "wav" and channel_mask and not equals_default(channel_mask, channels):
            text = f"{self._format} files cannot say where these channels stand; write .wav to keep it"
            warnings.warn(MediaWarning(f"{self.name}: {text}"), stacklevel=2)
        self._order = vorbis_order(channels) if self._format in ("ogg", "opus") else None
        self._own = self._created(path) if path else None
        file = self._own or target
        assert not isinstance(file, (str, os.PathLike)), "a path has been opened"
        self._kept = _Kept(file)
        mask = default_mask(channels) if channel_mask is None and channels > 2 else channel_mask
        try:
            self._file = self._open(sample_rate, channels, mask or None, samples, tags)
        except BaseException:
            self._close_own()
            raise

    def write(self, block: Samples) -> None:
        """Append samples [n, C]; what exceeds full scale is clipped.

        Raises:
            OutputError: the file cannot be written further.
        """
        ordered = block if self._order is None else block[:, self._order]
        for start in range(0, len(block), _PIECE):
            try:
                self._file.write(self._scaled(ordered[start : start + _PIECE]))
            except OverflowError as error:
                raise OutputError(f"{self.name}: a WAV file ends at 4 GiB; write .flac") from error
            except OSError as error:
                raise self._failure(error) from error
            except (soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts that all was written
                self._check_kept()
                raise OutputError(f"{self.name}: cannot be written; is the disk full?") from error

    def close(self) -> None:
        """Complete the file; OutputError when the last of it cannot be written."""
        try:
            self._file.close()
            self._check_kept()
            if self._own is not None:
                self._own.close()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._close_own()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with suppress(OSError):  # there is an error already
            self._file.close()  # frees what libsndfile holds
        self._close_own()

    def _failure(self, error: OSError) -> OutputError:
        what = error.strerror or error
        return OutputError(f"{self.name}: cannot be written: {what}; make room or choose another output")

    def _check_kept(self) -> None:
        if self._kept.error:
            raise self._failure(self._kept.error) from self._kept.error

    def _created(self, path: str) -> BinaryIO:
        try:
            return Path(path).open("w+b")
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror or error}") from error

    def _close_own(self) -> None:
        if self._own is not None:
            with suppress(OSError):
                self._own.close()

    def _open(
        self, sample_rate: int, channels: int, mask: int | None, samples: int | None, tags: Mapping[str, str]
    ) -> WavFile | SoundStream:
        container, coding = _CODING[self._format]
        try:
            if self._format == "wav":
                return WavFile(self._kept.file, sample_rate, channels, mask=mask, samples=samples, tags=tags)
            levels = {} if self._level is None else {"compression_level": self._level}
            stream = SoundStream(self._kept, "w", sample_rate, channels, format=container, subtype=coding, **levels)
            for name in _TAGS & tags.keys():
                with suppress(soundfile.SoundFileError):  # a tag that this format does not have
                    setattr(stream, name, tags[name])
            return stream
        except OSError as error:
            raise self._failure(error) from error
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


def check_writable(format: str, sample_rate: int, channels: int, *, name: str = "the audio") -> None:
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
