"""`vqc decompress`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cli.console import warn
from vqc.cli.file_command import FileOptions, check_options, make_files
from vqc.cli.live import DecompressLive, arrived_input
from vqc.cli.options import Pitch, pitch_of, seconds_of, takes
from vqc.cli.output_format import MEDIA_SUFFIXES, format_of, requested_suffix, suffix_for
from vqc.cli.outputs import Naming, is_batch, output_file
from vqc.cli.plan import Conversion
from vqc.cli.vqc_file import peek
from vqc.data.formats import MEDIA
from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.cli.inputs import InputFile
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.codec.progress import Progress
    from vqc.format.container import Header
    from vqc.format.shapes import Media


SUFFIXES = frozenset({".vqc"})
MARK = ".restored"


@dataclass(frozen=True, kw_only=True)
class DecompressOptions(FileOptions):
    """The options of `vqc decompress`."""

    output: str | None = option(
        None, "--output -o", "File, folder, or - (standard output). [default: INPUT.restored.png or .wav]", "OUT"
    )
    file_format: str | None = option(
        None,
        "--format",
        "png, jpg, webp, tiff, bmp or avif; wav, flac, ogg, opus or mp3. [default: by -o, else png or wav]",
        "FORMAT",
    )
    output_quality: int | None = option(
        None, "--output-quality", "Of jpg, webp, avif, ogg, opus and mp3.", "1..100", least=1, most=100
    )
    start: float | None = option(
        None, "--start", "Of audio, begin here: 90, 1:30 or 1:02:03.5.", "TIME", type=str, parse=seconds_of
    )
    duration: float | None = option(
        None, "--duration", "Of audio, restore so much.", "TIME", type=str, parse=seconds_of
    )
    salvage: bool = option(
        False, "--salvage", "Restore what is whole of damaged files; silence or grey where they are not."
    )
    sharp: bool = option(False, "--sharp", "With the model's sharp decoder: more texture, less true to the original.")
    to: str | None = option(None, "--to", "Of files of the model voice: another voice; see vqc convert.", "WHO")
    pitch: Pitch | None = option(
        None, "--pitch", "With --to: target, keep, or semitones. [default: target]", "HOW", type=str, parse=pitch_of
    )


@dataclass(frozen=True)
class DecompressFile:
    """Restore one file; a class and not a closure so that worker processes can be given it."""

    options: DecompressOptions

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import decompress_file

        return decompress_file(
            job.source.path,
            target,
            format=format_of(job.suffix),
            overwrite=job.replace,
            progress=progress,
            pitch="target" if self.options.pitch is None else self.options.pitch,
            **self.options.only("output_quality", "start", "duration", "salvage", "sharp", "to", "device", "limit"),
        )

    def suffix_of(self, source: InputFile) -> str:
        """How the result ends, by what the file holds. ContainerError if it is none."""
        header = peek(source.path, self.options.limit)
        return suffix_for(header.media, self._asked, source.name, several=True)

    @property
    def endings(self) -> tuple[str, ...]:
        """How results may end."""
        return tuple(suffix_for(media, self._asked, "", several=True) for media in MEDIA)

    @property
    def _asked(self) -> str | None:
        return requested_suffix(self.options.file_format, None)


@takes(DecompressOptions)
def decompress(options: DecompressOptions) -> None:
    """Restore images and audio from .vqc files."""
    if options.pitch is not None and options.to is None:
        raise OptionError("--pitch is of another voice; give that with --to")
    check_options(options, MEDIA_SUFFIXES | SUFFIXES)
    asked = requested_suffix(options.file_format, output_file(options.inputs, options.output))
    arrived = arrived_input(options, {options.start, options.duration, options.to} != {None})
    several = is_batch(options.inputs)
    mismatched: Counter[Media] = Counter()

    def suffix_of(source: InputFile) -> str:
        header = arrived.front.header if arrived.front else peek(source.path, options.limit)
        suffix = suffix_for(header.media, asked, source.name, several=several)
        mismatched[header.media] += asked not in (None, suffix)
        if not options.quiet:
            warn_of_lost_alpha(source.name, header, suffix)
        return suffix

    def notes() -> list[str]:
        return [other_medium_note(media, count, str(asked)) for media, count in mismatched.items() if count]

    wanted = Conversion(
        suffixes=SUFFIXES, sought=".vqc files", suffix_of=suffix_of, naming=Naming(SUFFIXES, MARK), precious=True
    )
    work = DecompressLive(options, arrived, asked, options.output_quality) if arrived.front else DecompressFile(options)
    make_files(options, wanted, work, "Restoring", notes, live=arrived.front is not None, begin=arrived.begin)


def other_medium_note(media: Media, count: int, asked: str) -> str:
    """Say what became of files that the format asked for is not for."""
    from vqc.data.data_source import counted

    return f"{counted(count, media)} restored as {MEDIA[media].restored[1:]}: {asked[1:]} is for the others"


def warn_of_lost_alpha(name: str, header: Header, suffix: str) -> None:
    """JPEG and BMP hold no transparency."""
    from vqc.data.image_files import keeps_alpha

    if header.shape.alpha and not keeps_alpha(format_of(suffix)):
        warn(f"{name}: {format_of(suffix)} files hold no transparency; the picture is laid on white")
