"""`vqc compress`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli.batch import run_plan, standard_input
from vqc.cli.formats import MEDIA_SUFFIXES
from vqc.cli.listing import Source, make_plan
from vqc.cli.options import (
    Device,
    DeviceOption,
    Entropy,
    ForceOption,
    JobsOption,
    JsonOption,
    QuietOption,
    ThreadsOption,
    model_option,
)
from vqc.cli.results import finish, refuse_two_on_stdout
from vqc.errors import MediaError, OptionError

if TYPE_CHECKING:
    from vqc.cli.batch import Progress
    from vqc.codec.api import Report
    from vqc.codec.rate import Rate

SUFFIX = ".vqc"

SizeOption = Annotated[
    str | None, typer.Option("--target-size", metavar="SIZE", help="Files of at most 20kB, 1.5MB or 9000 bytes.")
]
BppOption = Annotated[
    float | None, typer.Option("--target-bpp", metavar="BPP", help="Images of at most so many bits per pixel.")
]
LambdaOption = Annotated[
    float | None, typer.Option("--lambda", metavar="L", help="Photos: squared error a bit must save; instead of -q.")
]
KbpsOption = Annotated[
    float | None, typer.Option("--target-kbps", metavar="KBPS", help="Audio of at most so many kbit/s.")
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

    def __call__(self, source: Path, target: Path, progress: Progress | None) -> Report:
        from vqc.codec.api import compress_file

        return compress_file(
            source,
            target,
            model=self.model,
            quality=self.quality,
            entropy=self.entropy,
            rate=self.rate,
            device=self.device,
            stats=self.stats,
            explain=self.explain,
            overwrite=True,
            progress=progress,
        )


def compress(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, or - for standard input.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="File, folder, or - (standard output). [default: INPUT.vqc]"
        ),
    ] = None,
    model: Annotated[
        str | None,
        model_option("Name or file. [default: photo or speech, by input]"),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option("--quality", "-q", metavar="1..8", help="1 smallest, 8 best; also 5.5. [default: the model's]"),
    ] = None,
    bit_worth: LambdaOption = None,
    target_size: SizeOption = None,
    target_bpp: BppOption = None,
    target_kbps: KbpsOption = None,
    effort: Annotated[
        int | None,
        typer.Option("--effort", metavar="0..9", min=0, max=9, help="More time, better files. [default: the model's]"),
    ] = None,
    entropy: Annotated[
        Entropy, typer.Option("--entropy", metavar="MODE", help="Code packing: auto, prior, static or none.")
    ] = "auto",
    device: DeviceOption = "auto",
    jobs: JobsOption = 1,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Also restore each file; print PSNR and MSE (full scale 1).")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print where the bits go; draw it for images (OUT.bits.png).")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compress images and audio to .vqc files."""
    refuse_two_on_stdout(json, inputs, output)
    check_model(model, quality, bit_worth)
    rate = rate_of(effort, target_size, target_bpp, target_kbps, bit_worth)
    with standard_input(inputs) as stdin:
        plan = make_plan(
            inputs,
            output,
            suffixes=MEDIA_SUFFIXES,
            sought="images or audio files",
            suffix_of=suffix_of,
            stdin=stdin,
            force=force,
            beside=heat_map_beside if explain else None,
        )
        work = CompressFile(model, quality, entropy, rate, device, stats, explain)
        finish(run_plan(plan, work, "Compressing", workers=jobs, quiet=quiet), as_json=json, quiet=quiet)


def suffix_of(source: Source) -> str:
    """What results are called."""
    if source.path.suffix.lower() == SUFFIX:
        raise MediaError(f"{source.name}: this is a {SUFFIX} file already; use decompress to restore it")
    return SUFFIX


def heat_map_beside(source: Source, target: Path) -> Path | None:
    """The second result of --explain, which only images have."""
    from vqc.codec.heat_map import heat_map_path
    from vqc.codec.sniffing import media_of_file

    try:
        return heat_map_path(target) if media_of_file(source.path) == "image" else None
    except MediaError:
        return None  # compressing it will say so


SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(k|m|g|ki|mi|gi)?b?", re.IGNORECASE)
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}


def rate_of(
    effort: int | None, size: str | None, bpp: float | None, kbps: float | None, bit_worth: float | None = None
) -> Rate:
    """What the options ask for; OptionError when they exclude each other or a size is none."""
    from vqc.codec.rate import Rate

    given = {"--target-size": size, "--target-bpp": bpp, "--target-kbps": kbps, "--lambda": bit_worth}
    named = [f"{name} {value}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other; give one")
    if any(value is not None and value <= 0 for value in (bpp, kbps, bit_worth)):
        raise OptionError(f"{named[0]}: give a number above 0")
    target_bytes = None
    if size is not None:
        found = SIZE.fullmatch(size.strip())
        if not found:
            raise OptionError(f"--target-size {size}: give a size such as 20kB, 1.5MB or 9000")
        target_bytes = int(float(found[1]) * UNITS[(found[2] or "").lower()])
        if not target_bytes:
            raise OptionError(f"--target-size {size}: give a size above 0")
    return Rate(effort=effort, target_bytes=target_bytes, target_bpp=bpp, target_kbps=kbps, bit_worth=bit_worth)


def check_model(model: str | None, quality: float | None, bit_worth: float | None) -> None:
    """Finds out without loading it whether the model is there and has this quality.

    Without a model the codec chooses one for each file, and looks at the quality then.
    """
    if quality is not None and bit_worth is not None:
        raise OptionError(f"-q {quality:g} and --lambda {bit_worth:g} exclude each other; give one")
    if model is None:
        return
    from vqc.models.library import find_by_name

    info = find_by_name(model)
    if quality is not None and not 1 <= quality <= info.qualities:
        raise OptionError(f"-q {quality:g}: the qualities of the model {info.name} are 1 to {info.qualities}")
