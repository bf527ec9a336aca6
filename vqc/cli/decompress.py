"""`vqc decompress`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli.batch import run_plan
from vqc.cli.console import warn
from vqc.cli.file_reports import finish
from vqc.cli.options import (
    Device,
    DeviceOption,
    ForceOption,
    InputsArgument,
    JobsOption,
    JsonOption,
    QuietOption,
    SkipOption,
    ThreadsOption,
)
from vqc.cli.output_format import DEFAULT_SUFFIX, MEDIA_SUFFIXES, format_of, suffix_for, wanted_suffix
from vqc.cli.outputs import Naming, check_output, is_batch, output_file
from vqc.cli.plan import Wanted, make_plan, what_to_do
from vqc.cli.standard_streams import check_streams, standard_input
from vqc.cli.vqc_file import LimitOption, read_file

if TYPE_CHECKING:
    from vqc.cli.batch import Progress
    from vqc.cli.inputs import Source
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.data.data_source import Media
    from vqc.format.container import Header


SUFFIXES = frozenset({".vqc"})
MARK = ".restored"

OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="File, folder, or - (standard output). [default: INPUT.restored.png or .wav]",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="png, jpg, webp, tiff or bmp; wav, flac, ogg or mp3. [default: by -o, else png or wav]",
    ),
]
SharpOption = Annotated[
    bool, typer.Option("--sharp", help="With the model's sharp decoder: more texture, less true to the original.")
]


@dataclass(frozen=True)
class DecompressFile:
    """Restores one file; a class and not a closure so that worker processes can be given it."""

    device: Device
    limit: int | None
    sharp: bool

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import decompress_file

        return decompress_file(
            job.source.path,
            target,
            format=format_of(job.suffix),
            sharp=self.sharp,
            device=self.device,
            limit=self.limit,
            overwrite=job.replace,
            progress=progress,
        )


def decompress(
    inputs: InputsArgument,
    output: OutputOption = None,
    file_format: FormatOption = None,
    sharp: SharpOption = False,
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    skip_existing: SkipOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Restore images and audio from .vqc files."""
    check_streams(inputs, output, as_json=json)
    check_output(output, inputs, MEDIA_SUFFIXES | SUFFIXES)
    existing = what_to_do(force=force, skip=skip_existing)
    asked = wanted_suffix(file_format, output_file(inputs, output))
    several = is_batch(inputs)
    elsewise: Counter[Media] = Counter()

    def suffix_of(source: Source) -> str:
        header = read_file(source.path, limit).header
        media = header.media
        suffix = suffix_for(media, asked, source.name, several=several)
        elsewise[media] += asked not in (None, suffix)
        if not quiet:
            warn_of_lost_alpha(source.name, header, suffix)
        return suffix

    wanted = Wanted(
        suffixes=SUFFIXES, sought=".vqc files", suffix_of=suffix_of, naming=Naming(SUFFIXES, MARK), precious=True
    )
    work = DecompressFile(device, limit, sharp)
    with standard_input(inputs) as stdin:
        plan = make_plan(inputs, output, wanted, stdin=stdin, existing=existing)
        plan.notes += [of_other_medium(media, count, str(asked)) for media, count in elsewise.items() if count]
        finish(run_plan(plan, work, "Restoring", workers=jobs, quiet=quiet), plan.notes, as_json=json, quiet=quiet)


def of_other_medium(media: Media, count: int, asked: str) -> str:
    """Says what became of files that the format asked for is not for."""
    from vqc.data.data_source import counted

    return f"{counted(count, media)} restored as {DEFAULT_SUFFIX[media][1:]}: {asked[1:]} is for the others"


def warn_of_lost_alpha(name: str, header: Header, suffix: str) -> None:
    """JPEG and BMP hold no transparency."""
    from vqc.data.image_files import keeps_alpha

    if header.shape.alpha and not keeps_alpha(format_of(suffix)):
        warn(f"{name}: {format_of(suffix)} files hold no transparency; the picture is laid on white")
