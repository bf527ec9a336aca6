"""Sound that comes in on standard input and is compressed, or restored, as it comes."""

from __future__ import annotations

import io
import os
import re
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from vqc.cli.file_command import FileOptions
from vqc.cli.inputs import STREAM
from vqc.cli.output_format import format_of
from vqc.cli.outputs import STANDARD_OUTPUT, stream_of
from vqc.errors import MediaError, OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.cli.inputs import InputFile
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.codec.live.restore import Arriving
    from vqc.codec.progress import Progress
    from vqc.codec.rate import Rate
    from vqc.data.wav_stream import SoundFormat


@dataclass(frozen=True, kw_only=True)
class LiveOptions(FileOptions):
    """The options of `vqc compress` for sound that comes in."""

    chunk: float | None = option(
        None,
        "--chunk",
        "Seconds of a chunk of audio: less waiting, more bits. [default: 20, live 2]",
        "SECONDS",
    )
    live: bool = option(
        False, "--live", "Compress standard input as it comes. [default: WAV that does not say how long it is]"
    )
    raw: str | None = option(None, "--raw", "Standard input has 16-bit samples, no header; live.", "RATE[,CHANNELS]")


def raw_sound(text: str) -> SoundFormat:
    """Parse --raw; OptionError for what it is not."""
    from vqc.data.wav_stream import SoundFormat
    from vqc.format.shapes import MAX_CHANNELS, SAMPLE_RATES

    found = re.fullmatch(r"(\d{1,9})(?:,(\d{1,9}))?", text)
    rate, channels = (int(found[1]), int(found[2] or 1)) if found else (0, 0)
    if rate not in SAMPLE_RATES or not 1 <= channels <= MAX_CHANNELS:
        raise OptionError(f"--raw {text}: give the samples per second and, if they are several, the channels: 44100,2")
    return SoundFormat(rate, channels)


@dataclass(frozen=True)
class CompressLive:
    """Compress standard input as it comes."""

    options: LiveOptions
    rate: Rate
    sound: SoundFormat
    length: int | None  # bytes of sound that come, if that is known

    is_live = True

    endings = (".vqc",)

    def suffix_of(self, source: InputFile) -> str:
        """All results are `.vqc` files."""
        return ".vqc"

    def __call__(self, job: Job, target: Any, progress: Progress | None) -> Report:
        from vqc.atomic import atomic_file
        from vqc.codec.live.compress import compress_stream

        def compressed(to: BinaryIO) -> Report:
            options = self.options.only("model", "quality", "entropy", "chunk", "device", "limit")
            with until_interrupted(sys.stdin.buffer) as source:
                return compress_stream(source, to, sound=self.sound, length=self.length, rate=self.rate, **options)

        if job.target is None:
            return compressed(target)  # the stream, open
        with atomic_file(job.target, overwrite=job.replace) as file:
            return compressed(file)


def live_input(options: LiveOptions, rate: Rate, needs_all: Mapping[str, bool]) -> tuple[bytes, CompressLive | None]:
    """The work on standard input if it is to be compressed as it comes; and what had to be read of it to tell.

    Args:
        needs_all: what is asked for that needs all of a recording, by name.

    Raises:
        OptionError: it is to be, and something else is asked for that needs all of it.
        MediaError: it is to be, and is no WAV file that can be read so.
    """
    asked = options.live or options.raw is not None
    if asked and options.inputs != [STREAM]:
        raise OptionError("--live and --raw are for standard input; give - for the input")
    if asked and (given := [name for name, wanted in needs_all.items() if wanted]):
        raise OptionError(f"{given[0]} needs all of a recording; leave it out, or --live and --raw")
    if options.inputs != [STREAM] or sys.stdin is None or any(needs_all.values()):
        return b"", None
    if options.raw is not None:
        return b"", CompressLive(options, rate, raw_sound(options.raw), None)
    from vqc.data.wav_stream import read_head

    head = read_head(sys.stdin.buffer)
    if head.format is not None and (options.live or head.length is None):
        return head.data, CompressLive(options, rate, head.format, head.length)
    if options.live:
        raise MediaError("standard input: is no WAV file, or of a kind that can only be read as a whole; omit --live")
    return head.data, None


@dataclass(frozen=True)
class DecompressLive:
    """Restore standard input as it comes."""

    options: FileOptions
    arrived: Arriving
    asked: str | None  # suffix
    quality: int | None  # of the output

    @property
    def endings(self) -> tuple[str, ...]:
        """How results may end."""
        return (self.asked or ".wav",)

    def suffix_of(self, source: InputFile) -> str:
        """How the result ends."""
        return self.asked or ".wav"

    @property
    def is_live(self) -> bool:
        """Whether a stream gets what is restored at once: WAV alone can be written so, and a file wants its length."""
        return self.asked in (None, ".wav") and not is_file(self.options.output)

    def __call__(self, job: Job, target: Any, progress: Progress | None) -> Report:
        from vqc.codec.live.restore import restore_to_file, restore_to_wav

        options = self.options.only("sharp", "device", "limit") | {"quality": self.quality}
        if job.target is None and self.is_live:
            return restore_to_wav(self.arrived, target, **options)
        return restore_to_file(self.arrived, target, format=format_of(job.suffix), overwrite=job.replace, **options)


def arrived_input(options: FileOptions, needs_all: bool) -> Arriving:
    """Standard input, with its front if it is to be restored as it comes: not with options that need all of it."""
    from vqc.codec.live.restore import Arriving, arriving

    if options.inputs != [STREAM] or sys.stdin is None or needs_all:
        return Arriving(io.BytesIO(), b"")
    return arriving(sys.stdin.buffer)


def is_file(output: str | None) -> bool:
    """Return whether standard output, if the result goes there, is an ordinary file that nobody listens to."""
    if output is not None and stream_of(output) != STANDARD_OUTPUT:
        return False
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:  # it is none of the system
        return False


@contextmanager
def until_interrupted(file: BinaryIO) -> Iterator[BinaryIO]:
    """A file that ends at the second Ctrl-C.

    The first ends the program that sends, and with it the file, as soon as all was read that had been sent.
    """
    held = _Interruptible(file)
    before = signal.getsignal(signal.SIGINT)
    with suppress(ValueError):  # not in the main thread: then nobody presses anything
        signal.signal(signal.SIGINT, held.interrupt)
    try:
        yield held  # type: ignore[misc]  # all of a file that is asked for
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, before)


class _Interruptible:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._times, self._reads = file, 0, False

    def interrupt(self, number: int, frame: object) -> None:
        """Handle Ctrl-C."""
        self._times += 1
        if self._times > 2 or (self._times == 2 and self._reads):
            raise KeyboardInterrupt

    def read1(self, count: int) -> bytes:
        """As `read1` of a file."""
        if self._times > 1:
            return b""
        self._reads = True
        try:
            return self._file.read1(count)  # type: ignore[attr-defined, no-any-return]
        except KeyboardInterrupt:
            return b""
        finally:
            self._reads = False
