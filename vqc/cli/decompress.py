"""`vqc decompress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli.batch import run_plan, standard_input
from vqc.cli.formats import format_of, suffix_for, wanted_suffix
from vqc.cli.headers import LimitOption, media_of, read_file
from vqc.cli.listing import Source, make_plan, output_file
from vqc.cli.options import Device, DeviceOption, ForceOption, JobsOption, JsonOption, QuietOption, ThreadsOption
from vqc.cli.printing import warn
from vqc.cli.results import finish, refuse_two_on_stdout

if TYPE_CHECKING:
    from vqc.cli.batch import Progress
    from vqc.codec.api import Report
    from vqc.codec.container import Header


SharpOption = Annotated[
    bool, typer.Option("--sharp", help="With the model's sharp decoder: more texture, less true to the original.")
]


@dataclass(frozen=True)
class DecompressFile:
    """Restores one file; a class and not a closure so that worker processes can be given it."""

    file_format: str | None  # where it is not that of the target's suffix
    device: Device
    limit: int | None
    sharp: bool

    def __call__(self, source: Path, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import decompress_file

        return decompress_file(
            source,
            target,
            format=self.file_format,
            sharp=self.sharp,
            device=self.device,
            limit=self.limit,
            overwrite=True,
            progress=progress,
        )


def decompress(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, or - for standard input.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="File, folder, or - (standard output). [default: INPUT.png or .wav]"
        ),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="png, jpg, webp, tiff or bmp; wav, flac, ogg or mp3. [default: by -o, else png or wav]",
        ),
    ] = None,
    sharp: SharpOption = False,
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Restore images and audio from .vqc files."""
    refuse_two_on_stdout(json, inputs, output)
    wanted = wanted_suffix(file_format, output_file(inputs, output))

    def suffix_of(source: Source) -> str:
        header = read_file(source.path, limit).header
        suffix = suffix_for(media_of(header), wanted, source.name)
        warn_of_lost_alpha(source.name, header, suffix)
        return suffix

    with standard_input(inputs) as stdin:
        plan = make_plan(
            inputs,
            output,
            suffixes=frozenset({".vqc"}),
            sought=".vqc files",
            suffix_of=suffix_of,
            stdin=stdin,
            force=force,
        )
        work = DecompressFile(wanted and format_of(wanted), device, limit, sharp)
        finish(run_plan(plan, work, "Restoring", workers=jobs, quiet=quiet), as_json=json, quiet=quiet)


def warn_of_lost_alpha(name: str, header: Header, suffix: str) -> None:
    """JPEG and BMP hold no transparency."""
    from vqc.codec.container import ImageShape
    from vqc.data.images import keeps_alpha

    if isinstance(header.shape, ImageShape) and header.shape.alpha and not keeps_alpha(format_of(suffix)):
        warn(f"{name}: {format_of(suffix)} files hold no transparency; the picture is laid on white")
