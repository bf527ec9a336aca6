"""`vqc archive`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vqc.cli.archive_write import append_archives_to, archive_inputs, counted
from vqc.cli.commands import App
from vqc.cli.console import print_json, printable, problem_with, size, warn
from vqc.cli.options import (
    DeviceOption,
    Entropy,
    ForceOption,
    JobsOption,
    JsonOption,
    LimitOption,
    QuietOption,
    SkipOption,
    ThreadsOption,
    WorkOptions,
    model_option,
    output_option,
    takes,
)
from vqc.cli.plan import existing_policy, join_suffixes
from vqc.cli.progress import ProgressBar
from vqc.data.formats import usual_suffixes, written_as
from vqc.errors import OptionError, VQCError, did_you_mean
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.archive.reader import Archive, ArchivedItem

archives = App(
    "Keep a data set as codes in one file: make, list, extract, append to or check an archive.", no_args_is_help=True
)

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive, usually .vqca.")]
NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Names of items, or folders of them. [default: all]")
]


@dataclass(frozen=True, kw_only=True)
class WriteOptions(WorkOptions):
    """The options of create and append."""

    model: Annotated[str | None, model_option("Name or file. [default: photo or speech, by input]")] = None
    effort: int | None = option(
        None, "--effort", "More time, better files. [default: the model's]", "0..9", least=0, most=9
    )


@dataclass(frozen=True, kw_only=True)
class CreateOptions(WriteOptions):
    """The options of create."""

    archive: Annotated[
        str,
        typer.Argument(metavar="ARCHIVE", help="The archive, usually .vqca; or, with / at the end, a folder of them."),
    ]
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Folders and files of images, or of audio; or one URL.")
    ]
    shard_items: int | None = option(
        None, "--shard-items", "In a folder of archives, so many in each. [default: 10000]", "N", least=1
    )
    quality: float | None = option(None, "--quality -q", "1 smallest, 8 best; also 5.5. [default: the model's]", "1..8")
    entropy: Entropy = option("auto", "--entropy", "Code packing: auto, prior, static or none.", "MODE")
    force: ForceOption = False


@archives.command(epilog="Example: vqc archive create set.vqca photos/ --jobs 2", no_args_is_help=True)
@takes(CreateOptions)
def create(options: CreateOptions) -> None:
    """Make an archive of images or audio; names are paths, labels the folders."""
    wanted = options.only("model", "effort", "quality", "entropy", "force", "shard_items")
    archive_inputs(options.archive, options.inputs, options, **wanted)


@dataclass(frozen=True, kw_only=True)
class AppendOptions(WriteOptions):
    """The options of append."""

    archive: ArchiveArgument
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Folders and files of images, or of audio; or archives.")
    ]


@archives.command(epilog="Example: vqc archive append set.vqca more/", no_args_is_help=True)
@takes(AppendOptions)
def append(options: AppendOptions) -> None:
    """Add what an archive does not have yet, of files or of other archives, or go on with one that was cut short."""
    others = [name for name in options.inputs if name.lower().endswith(".vqca")]
    if others and len(others) < len(options.inputs):
        raise OptionError("append files or archives, not both at once")
    if others:
        append_archives_to(options.archive, others, options)
        return
    archive_inputs(str(options.archive), options.inputs, options, append=True, **options.only("model", "effort"))


@archives.command("list", epilog="Example: vqc archive list set.vqca", no_args_is_help=True)
def list_items(
    archive: ArchiveArgument,
    names: NamesArgument = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the items of an archive: size, label and name."""
    opened, problems = opened_archive(archive), list[str]()
    items = selected(opened, names, problems)
    if json:
        print_json({**about(opened), "items": [as_dict(item) for item in items]})
    else:
        print_items(items)
        if not quiet:
            print(summary(opened, items), file=sys.stderr)
    end_with(problems)


@archives.command(epilog="Example: vqc archive extract set.vqca -o out/", no_args_is_help=True)
def extract(
    archive: ArchiveArgument,
    names: NamesArgument = None,
    output: Annotated[Path, output_option("FOLDER", "Where to. [default: here]", show_default=False)] = Path(),
    file_format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="As in decompress, or vqc. [default: png or wav]")
    ] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    limit: LimitOption = None,
    force: ForceOption = False,
    skip_existing: SkipOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Restore items as files; all, or those that are named."""
    from vqc.archive.extract import extract as extract_items

    opened, problems = opened_archive(archive, device=device, limit=limit), list[str]()
    suffix = suffix_of(file_format, opened)
    existing_policy(force=force, skip=skip_existing)
    items, skipped, failures = selected(opened, names, problems), 0, list[dict[str, str]]()
    with ProgressBar("Extracting", len(items), quiet=quiet) as bar:
        extracting = extract_items(opened, items, output, suffix=suffix, overwrite=force, skip=skip_existing)
        for number, one in enumerate(extracting, 1):
            if one.problem:
                problems.append("")  # told here
                failures.append({"item": one.item.name, "error": str(one.problem)})
                bar.warn(printable(problem_with(one.item.name, one.problem)))
            skipped += one.skipped
            bar.at(number, len(items))
    done = len(items) - skipped - len(failures)
    if json:
        damaged = [{"item": "", "error": problem} for problem in problems if problem]
        counts = {"items": done, "skipped": skipped, "failed": len(failures)}
        print_json({"output": str(output), **counts, "failures": failures + damaged})
    elif not quiet:
        print(f"{output}: {counted(done)}")
    if skipped and not quiet:
        warn(f"{skipped:,} {'file' if skipped == 1 else 'files'} skipped, as the result is there already")
    end_with(problems)


@archives.command(epilog="Example: vqc archive verify set.vqca", no_args_is_help=True)
def verify(
    archive: ArchiveArgument,
    no_decode: Annotated[bool, typer.Option("--no-decode", help="Compare checks, but read no codes.")] = False,
    threads: ThreadsOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check that every item of an archive is whole and can be read."""
    from vqc.archive.verify import verify_archive

    opened = opened_archive(archive, limit=limit)
    problems = [opened.problem] if opened.problem else []
    with ProgressBar("Verifying", len(opened), quiet=quiet) as bar:
        for number, problem in verify_archive(opened, decode=not no_decode):
            problems += [problem] if problem else []
            bar.at(number, len(opened))
    if json:
        print_json({"archive": str(archive), "ok": not problems, "items": len(opened), "errors": problems})
    elif not problems and not quiet:
        print(f"{archive}: ok, {counted(len(opened))}")
    end_with(problems)


@archives.command(epilog="Example: vqc archive export set.vqca --to parquet --decode", no_args_is_help=True)
def export(
    archive: ArchiveArgument,
    form: Annotated[
        Literal["parquet", "webdataset", "npz"],
        typer.Option("--to", metavar="FORM", rich_help_panel="Output", help="parquet, webdataset or npz."),
    ],
    output: Annotated[Path | None, output_option("OUT", "The file. [default: beside the archive]")] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Images or sound in place of codes.")] = False,
    file_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="Of images or sound, with --decode. [default: png or wav]"),
    ] = None,
    device: DeviceOption = "auto",
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    limit: LimitOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the codes of all items, or what they restore to, as a table, a tar or arrays."""
    from vqc.archive.export import export_items

    opened = opened_archive(archive, device=device, limit=limit)
    suffix = suffix_of(file_format, opened, to_vqc=False)
    target = output or archive.with_suffix(f".{'tar' if form == 'webdataset' else form}")
    with ProgressBar("Exporting", len(opened), quiet=quiet) as bar:
        export_items(
            opened, target, form, decode=decode, suffix=suffix, overwrite=force, workers=jobs or 1,
            progress=lambda done: bar.at(done, len(opened)),
        )  # fmt: skip
    if not quiet:
        print(f"{target}: {counted(len(opened))}")


def opened_archive(path: Path, **options: Any) -> Archive:
    """An archive; what is wrong with its end is told by the warning."""
    from vqc.archive.reader import open_archive

    return open_archive(path, **options)


def selected(archive: Archive, names: Sequence[str] | None, problems: list[str]) -> list[ArchivedItem]:
    """The items with these names or in folders so called, or all; OptionError for a name that nothing has."""
    items = list(archive.sound(problems))
    if not names:
        return items
    wanted = [name.rstrip("/") for name in names]
    found = [item for item in items if any(item.name == name or item.name.startswith(f"{name}/") for name in wanted)]
    for name in wanted:
        if not any(item.name == name or item.name.startswith(f"{name}/") for item in found):
            known = [item.name for item in items[:10_000]]
            raise OptionError(f"{name}: no item of the archive has this name{did_you_mean(name, known)}")
    return found


def suffix_of(file_format: str | None, archive: Archive, *, to_vqc: bool = True) -> str | None:
    """The suffix of a format; OptionError when the medium of the archive has no such format."""
    if file_format is None:
        return None
    suffix = f".{file_format.lower().removeprefix('.')}"
    own = (".vqc",) if to_vqc else ()
    if suffix not in own and suffix not in written_as(archive.media):
        fitting = join_suffixes((*own, *usual_suffixes(archive.media)))
        raise OptionError(f"--format {file_format}: the items cannot be written so; use {fitting}")
    return suffix


def print_items(items: Sequence[ArchivedItem]) -> None:
    """Print a line for each item: bytes, size, label, name."""
    widest = max((len(item.label) for item in items), default=0)
    lines = list[str]()
    for (shape, label), alike in groupby(items, lambda item: (item.shape, item.label)):
        middle = f"  {shape.length_in_words:>19}  {printable(label):<{widest}}  "
        lines += [f"{item.length:>9,}{middle}{printable(item.name)}\n" for item in alike]
    sys.stdout.write("".join(lines))  # at once: there may be very many


def about(archive: Archive) -> dict[str, object]:
    """What all items have in common, for JSON."""
    header = archive.header
    return {
        "file": archive.path,
        "bytes": archive.size,
        "media": archive.media,
        "model": model_name(archive),
        "quality": header.quality,
        "entropy": header.entropy,
    }


def as_dict(item: ArchivedItem) -> dict[str, object]:
    """An item for JSON."""
    shape = {key: value for key, value in vars(item.shape).items() if value is not None}
    return {"name": item.name, "label": item.label, "bytes": item.length, **shape}


def summary(archive: Archive, items: Sequence[ArchivedItem]) -> str:
    """One line about the archive."""
    header, labels = archive.header, {item.label for item in items if item.label}
    parts = [counted(len(items)), size(sum(item.length for item in items))]
    parts += [f"{len(labels):,} {'label' if len(labels) == 1 else 'labels'}"] if labels else []
    return f"{', '.join(parts)}; {model_name(archive)}, quality {header.quality}, {header.entropy}"


def model_name(archive: Archive) -> str:
    """The name of the model, or its digest where it is not at hand."""
    from vqc.models.files.zoo import find_by_digest

    try:
        return find_by_digest(archive.header.digest).name
    except VQCError:
        return archive.header.digest.hex()


def end_with(problems: Sequence[str]) -> None:
    """Print what is wrong, and end the command with exit code 1 if anything is."""
    for problem in filter(None, problems):
        warn(printable(problem))
    if problems:
        raise typer.Exit(1)
