"""`vqc compress`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vqc.cli.file_command import check_options, make_files
from vqc.cli.file_reports import report_outcomes
from vqc.cli.live import LiveOptions, live_input
from vqc.cli.options import Entropy, model_option, takes
from vqc.cli.output_format import MEDIA_SUFFIXES
from vqc.cli.outputs import Naming
from vqc.cli.plan import Conversion
from vqc.cli.rate_options import RateOptions, check_quality, default_model, rate_of
from vqc.errors import MediaError, OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.cli.inputs import InputFile
    from vqc.cli.plan import Job
    from vqc.codec.api import Report
    from vqc.codec.progress import Progress
    from vqc.codec.rate import Rate
    from vqc.format.shapes import Media

SUFFIX = ".vqc"
MetadataPolicy = Literal["keep", "strip", "all"]


@dataclass(frozen=True, kw_only=True)
class CompressOptions(RateOptions, LiveOptions):
    """The options of `vqc compress`."""

    output: str | None = option(
        None, "--output -o", "File, folder, or - (standard output). [default: INPUT.vqc]", "OUT"
    )
    model: Annotated[str | None, model_option("Name or file. [default: photo or speech, by input]")] = None
    entropy: Entropy = option("auto", "--entropy", "Code packing: auto, prior, static or none.", "MODE")
    archive: str | None = option(None, "--archive", "Put everything into one file, for a data set.", "ARCHIVE")
    metadata: MetadataPolicy = option(
        "keep", "--metadata", "keep (dates, camera, title …), all (place too), or strip.", "WHAT"
    )
    lossless: bool | None = option(
        None, "--lossless/--lossy", "Keep every pixel, or never. [default: where that is smaller]"
    )
    stats: bool = option(False, "--stats", "Also restore each file; print PSNR and MSE (full scale 1).")
    explain: bool = option(False, "--explain", "Also print where the bits go; draw it for images (OUT.bits.png).")


@dataclass(frozen=True)
class CompressFile:
    """Compress one file; a class and not a closure so that worker processes can be given it."""

    options: CompressOptions
    rate: Rate

    def __call__(self, job: Job, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import compress_file

        return compress_file(
            job.source.path,
            target,
            rate=self.rate,
            overwrite=job.replace,
            progress=progress,
            **self.options.only(
                "model", "quality", "entropy", "lossless", "device", "stats", "explain", "metadata", "limit", "chunk"
            ),
        )

    def suffix_of(self, source: InputFile) -> str:
        """All results are `.vqc` files; MediaError for what is one already."""
        if source.path.suffix.lower() == SUFFIX:
            raise MediaError(f"{source.name}: this is a {SUFFIX} file already; use decompress to restore it")
        return SUFFIX

    @property
    def endings(self) -> tuple[str, ...]:
        """How results end."""
        return (SUFFIX,)


@takes(CompressOptions)
def compress(options: CompressOptions) -> None:
    """Compress images and audio to .vqc files."""
    if options.archive is not None:
        compress_to_archive(options, options.archive)
        return
    check_options(options, MEDIA_SUFFIXES | {SUFFIX}, only=SUFFIX)
    wanted = Conversion(
        suffixes=MEDIA_SUFFIXES,
        sought="images or audio files",
        suffix_of=suffix_for(options.model, options.quality, codes=options.entropy != "auto"),
        naming=Naming(MEDIA_SUFFIXES),
        beside=heat_map_beside if options.explain else None,
        passed_over=frozenset({SUFFIX}),  # the results of an earlier run
    )
    each, rate = "--explain" if options.explain else "--stats" if options.stats else "", rate_of(options)
    needs_all = {"--stats": options.stats, "--explain": options.explain, "a target size": rate.is_target}
    begin, live = live_input(options, rate, needs_all)
    work = live or CompressFile(options, rate)
    report = partial(report_outcomes, targeted=rate.is_target)
    make_files(options, wanted, work, "Compressing", report=report, each=each, live=live is not None, begin=begin)


def compress_to_archive(options: CompressOptions, target: str) -> None:
    """Do what `vqc archive create` does; OptionError for options that archives do not have."""
    from vqc.cli.archive_write import archive_inputs

    others = {
        "-o": options.output,
        "--update": options.update,
        "--skip-existing": options.skip_existing,
        "--stats": options.stats,
        "--explain": options.explain,
        "--chunk": options.chunk is not None,
        "--live": options.live,
        "--raw": options.raw is not None,
        "--lossless": options.lossless,
        "--metadata all": options.metadata == "all",
    }
    if given := [name for name, value in others.items() if value]:
        raise OptionError(f"--archive and {given[0]} exclude each other; see vqc archive create --help")
    rate = rate_of(options)  # which says what else excludes each other
    if rate.is_target:
        raise OptionError("--archive and a target exclude each other; see vqc archive create --help")
    wanted = options.only("model", "effort", "quality", "lmbda", "entropy", "force")
    archive_inputs(target, options.inputs, options, **wanted)


def suffix_for(model: str | None, quality: float | None, *, codes: bool) -> Callable[[InputFile], str]:
    """Return how results end; that a source's model is there, and has the quality, is checked without loading it.

    With `codes` nothing but a model will do.
    """
    if model is not None:
        from vqc.models.files.zoo import find_by_name

        check_quality(find_by_name(model), quality)

    def suffix_of(source: InputFile) -> str:
        if source.path.suffix.lower() == SUFFIX:
            raise MediaError(f"{source.name}: this is a {SUFFIX} file already; use decompress to restore it")
        media = media_of(source) if model is None and quality is not None else None
        if media is not None:
            from vqc.format.plain import AVIF

            check_quality(default_model(media), quality, max(AVIF) if media == "image" and not codes else 0)
        return SUFFIX

    return suffix_of


def heat_map_beside(source: InputFile, target: Path) -> Path | None:
    """The second result of --explain, which only images have."""
    from vqc.drawing.heat_map import heat_map_path

    return heat_map_path(target) if media_of(source) == "image" else None


def media_of(source: InputFile) -> Media | None:
    """Return the medium of a source, or None if compressing it will say why it has none."""
    from vqc.data.media_type import media_of_file

    try:
        return media_of_file(source.path)
    except MediaError:
        return None
