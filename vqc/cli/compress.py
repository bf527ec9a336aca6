"""`vqc compress`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli.batch import run_plan
from vqc.cli.file_reports import finish
from vqc.cli.options import (
    Device,
    DeviceOption,
    Entropy,
    ForceOption,
    InputsArgument,
    JobsOption,
    JsonOption,
    QuietOption,
    SkipOption,
    ThreadsOption,
    model_option,
)
from vqc.cli.output_format import MEDIA_SUFFIXES
from vqc.cli.outputs import Naming, check_output
from vqc.cli.plan import Wanted, make_plan, what_to_do
from vqc.cli.rate_options import (
    BppOption,
    EffortOption,
    KbpsOption,
    LambdaOption,
    QualityOption,
    SizeOption,
    check_quality,
    default_model,
    rate_of,
)
from vqc.cli.standard_streams import check_streams, standard_input
from vqc.cli.vqc_file import LimitOption
from vqc.errors import MediaError

if TYPE_CHECKING:
    from vqc.cli.batch import Progress
    from vqc.cli.inputs import Source
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.codec.rate import Rate
    from vqc.data.data_source import Media

SUFFIX = ".vqc"

OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="OUT", help="File, folder, or - (standard output). [default: INPUT.vqc]"),
]
ModelOption = Annotated[str | None, model_option("Name or file. [default: photo or speech, by input]")]
EntropyOption = Annotated[
    Entropy, typer.Option("--entropy", metavar="MODE", help="Code packing: auto, prior, static or none.")
]
UpdateOption = Annotated[
    bool, typer.Option("--update", help="Compress only what has no file yet, or was changed since; replace those.")
]
StatsOption = Annotated[
    bool, typer.Option("--stats", help="Also restore each file; print PSNR and MSE (full scale 1).")
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Also print where the bits go; draw it for images (OUT.bits.png).")
]


@dataclass(frozen=True)
class CompressFile:
    """Compresses one file; a class and not a closure so that worker processes can be given it."""

    model: str | None
    quality: float | None
    entropy: Entropy
    rate: Rate
    device: Device
    stats: bool
    explain: bool
    limit: int | None = None

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import compress_file

        return compress_file(
            job.source.path,
            target,
            model=self.model,
            quality=self.quality,
            entropy=self.entropy,
            rate=self.rate,
            device=self.device,
            stats=self.stats,
            explain=self.explain,
            limit=self.limit,
            overwrite=job.replace,
            progress=progress,
        )


def compress(
    inputs: InputsArgument,
    output: OutputOption = None,
    model: ModelOption = None,
    quality: QualityOption = None,
    lmbda: LambdaOption = None,
    target_size: SizeOption = None,
    target_bpp: BppOption = None,
    target_kbps: KbpsOption = None,
    effort: EffortOption = None,
    entropy: EntropyOption = "auto",
    device: DeviceOption = "auto",
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    skip_existing: SkipOption = False,
    update: UpdateOption = False,
    stats: StatsOption = False,
    explain: ExplainOption = False,
    limit: LimitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compress images and audio to .vqc files."""
    check_streams(inputs, output, as_json=json)
    check_output(output, inputs, MEDIA_SUFFIXES | {SUFFIX}, only=SUFFIX)
    existing = what_to_do(force=force, skip=skip_existing, update=update)
    rate = rate_of(effort=effort, quality=quality, size=target_size, bpp=target_bpp, kbps=target_kbps, lmbda=lmbda)
    wanted = Wanted(
        suffixes=MEDIA_SUFFIXES,
        sought="images or audio files",
        suffix_of=suffix_for(model, quality),
        naming=Naming(MEDIA_SUFFIXES),
        beside=heat_map_beside if explain else None,
        passed_over=frozenset({SUFFIX}),  # the results of an earlier run
    )
    work = CompressFile(model, quality, entropy, rate, device, stats, explain, limit)
    with standard_input(inputs) as stdin:
        plan = make_plan(inputs, output, wanted, stdin=stdin, existing=existing)
        finish(run_plan(plan, work, "Compressing", workers=jobs, quiet=quiet), plan.notes, as_json=json, quiet=quiet)


def suffix_for(model: str | None, quality: float | None) -> Callable[[Source], str]:
    """How results end; whether the model of each source is there, and has the quality, is found without loading it."""
    if model is not None:
        from vqc.models.files.zoo import find_by_name

        check_quality(find_by_name(model), quality)

    def suffix_of(source: Source) -> str:
        if source.path.suffix.lower() == SUFFIX:
            raise MediaError(f"{source.name}: this is a {SUFFIX} file already; use decompress to restore it")
        media = media_of(source) if model is None and quality is not None else None
        if media is not None:
            check_quality(default_model(media), quality)
        return SUFFIX

    return suffix_of


def heat_map_beside(source: Source, target: Path) -> Path | None:
    """The second result of --explain, which only images have."""
    from vqc.drawing.heat_map import heat_map_path

    return heat_map_path(target) if media_of(source) == "image" else None


def media_of(source: Source) -> Media | None:
    """What a source is, or None if compressing it will say why it is nothing."""
    from vqc.data.media_type import media_of_file

    try:
        return media_of_file(source.path)
    except MediaError:
        return None
