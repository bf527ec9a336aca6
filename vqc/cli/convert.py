"""`vqc convert`: recordings in another voice."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from vqc.cli.batch import Outcome
from vqc.cli.console import duration, print_json, warn
from vqc.cli.file_command import FileOptions, check_options, make_files
from vqc.cli.file_reports import as_dict
from vqc.cli.inputs import STREAM
from vqc.cli.options import InputsArgument, Pitch, model_option, pitch_of, takes
from vqc.cli.output_format import format_of, requested_suffix, suffix_for
from vqc.cli.outputs import Naming, output_file
from vqc.cli.plan import Conversion
from vqc.data.formats import SUFFIXES
from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.cli.inputs import InputFile
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.codec.progress import Progress

NOTHING = cast("list[str]", ())
MARK = ".converted"
AUDIO = frozenset(SUFFIXES["audio"])


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(FileOptions):
    """The options of `vqc convert`."""

    inputs: InputsArgument = NOTHING  # which --speakers takes
    to: str | None = option(
        None, "--to", "A voice of --speakers, or a recording of one person; 10 s are enough.", "WHO"
    )
    pitch: Pitch | None = option(
        None, "--pitch", "target, keep, or semitones up or down. [default: target]", "HOW", type=str, parse=pitch_of
    )
    speakers: bool = option(False, "--speakers", "List the voices that come with the model.")
    model: Annotated[str, model_option("Name or file of a model of kind voice.")] = "voice"
    output: str | None = option(
        None, "--output -o", "File, folder, or - (standard output). [default: INPUT.converted.wav]", "OUT"
    )
    file_format: str | None = option(
        None, "--format", "wav, flac, ogg, opus or mp3. [default: by -o, else wav]", "FORMAT"
    )
    output_quality: int | None = option(None, "--output-quality", "Of ogg, opus and mp3.", "1..100", least=1, most=100)


@dataclass(frozen=True)
class ConvertFile:
    """Convert one file; a class and not a closure so that worker processes can be given it."""

    options: ConvertOptions

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.convert import convert_file

        options = self.options
        return convert_file(
            job.source.path,
            target,
            to=options.to or "",
            pitch=options.pitch if options.pitch is not None else "target",
            format=format_of(job.suffix),
            overwrite=job.replace,
            progress=progress,
            **options.only("model", "output_quality", "device", "limit"),
        )

    def suffix_of(self, source: InputFile) -> str:
        """How the result of a file in a folder ends."""
        return suffix_for("audio", requested_suffix(self.options.file_format, None), source.name, several=False)

    @property
    def endings(self) -> tuple[str, ...]:
        """How results end."""
        return (suffix_for("audio", requested_suffix(self.options.file_format, None), "", several=False),)


@takes(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Say the same in another voice; only with the consent of whoever's voice it is."""
    if options.speakers:
        list_speakers(options)
        return
    if not options.inputs:
        raise OptionError("give the recordings to convert, or --speakers to list the voices")
    if options.to is None:
        raise OptionError("--to is missing: give a voice of --speakers, or a recording of one person")
    check_options(options, AUDIO)
    asked = requested_suffix(options.file_format, output_file(options.inputs, options.output), ["audio"])

    def suffix_of(source: InputFile) -> str:
        return suffix_for("audio", asked, source.name, several=False)

    wanted = Conversion(
        suffixes=AUDIO, sought="audio files", suffix_of=suffix_of, naming=Naming(AUDIO, MARK), precious=True
    )
    make_files(options, wanted, ConvertFile(options), "Converting", report=report_converted)


def list_speakers(options: ConvertOptions) -> None:
    """Print the names of the voices of a model, a line each, or as JSON."""
    from vqc.models.files.zoo import find_by_name

    info = find_by_name(options.model)
    if info.kind != "voice":
        raise OptionError(f"the model {info.name} cannot change voices; use voice")
    names = list(info.config["speakers"])
    if options.json:
        print_json(names)
        return
    for name in names:
        print(name)


def report_converted(outcomes: Sequence[Outcome], notes: Iterable[str], *, as_json: bool, quiet: bool) -> None:
    """Print what was made, a line each, and end the command; exit codes are those of compress."""
    reports = [(outcome, outcome.report) for outcome in outcomes if outcome.report is not None]
    if as_json:
        print_json([as_dict(outcome, figures_of) for outcome in outcomes])
    for outcome, report in () if quiet or as_json else reports:
        line = (
            f"{outcome.name} -> {outcome.target}  {report.shape.extent:.1f} s of speech in {duration(report.seconds)}"
        )
        print(line, file=sys.stderr if outcome.target == STREAM else sys.stdout)
    for note in () if quiet else notes:
        warn(note)
    failed = {outcome.exit_code for outcome in outcomes if outcome.problem}
    if failed:
        raise typer.Exit(2 if failed == {2} and not reports else 1)


def figures_of(_: Outcome, report: Report) -> dict[str, object]:
    """What is said of a converted file."""
    return {"model": report.model, "audio_seconds": report.shape.extent, "seconds": round(report.seconds, 4)}
