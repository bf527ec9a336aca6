"""`vqc sample`: draw from the prior of a model, and write what was drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.console import duration, print_json, size
from vqc.cli.options import DeviceOption, ForceOption, JsonOption, QuietOption, ThreadsOption, model_names, takes
from vqc.cli.outputs import check_new, check_suffix, names_folder, stream_of
from vqc.cli.plan import join_suffixes
from vqc.cli.progress import ProgressBar
from vqc.data.formats import MEDIA, usual_suffixes, written_as
from vqc.errors import OptionError
from vqc.option_fields import option
from vqc.sampling.options import DEFAULT_MODEL, SampleOptions

if TYPE_CHECKING:
    from vqc.codec.codec import Codec
    from vqc.codec.codes import Codes
    from vqc.format.shapes import Media
    from vqc.models.files.header import ModelInfo
    from vqc.sampling.complete import Given

VQC, CODES = ".vqc", ".npz"

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        autocompletion=model_names,
        help="Name or file. [default: cifar10; to complete, photo or speech]",
    ),
]
Targets = Mapping[Path, Sequence[int]]  # of each file: the items that it shows


@dataclass(frozen=True, kw_only=True)
class CommandOptions(SampleOptions):
    """The options of `vqc sample`."""

    model: ModelArgument = None
    output: str | None = option(
        None, "--output -o", "A file (of images a grid), or a folder/. [default: MODEL.sample.png]", "OUT"
    )
    format: str | None = option(None, "--format", "Of the files in a folder, such as png, wav or vqc.", "FORMAT")
    save_codes: Path | None = option(None, "--save-codes", "Also write the codes, as NumPy arrays.", "F.npz")
    device: DeviceOption = "auto"
    threads: ThreadsOption = None
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False


@takes(CommandOptions)
def sample(options: CommandOptions) -> None:
    """Draw images or speech from what the prior of a model has learnt."""
    from vqc.atomic import write_atomically
    from vqc.models.files.zoo import find_by_name
    from vqc.sampling.sample import arrays_of

    begin = time.perf_counter()
    info = find_by_name(model_for(options))
    targets = targets_for(options, info.name, info.media)
    check_suffix("--save-codes", options.save_codes, CODES)
    check_places(options, targets)
    with ProgressBar(f"Drawing from {info.name}", 1, quiet=options.quiet):
        codec, given, drawn = draw_items(options, info)
        write(codec, given, drawn, targets, force=options.force)
        if options.save_codes is not None:
            write_atomically(options.save_codes, arrays_of(drawn), overwrite=options.force)
    tell(options, info, drawn, targets, time.perf_counter() - begin)


def model_for(options: CommandOptions) -> str:
    """The model to draw from: the one that is asked for, or a default; OptionError when it is not for the file."""
    from vqc.data.media_type import media_of_file
    from vqc.models.files.zoo import find_by_name
    from vqc.models.kinds import default_model

    if options.complete is None:
        return options.model or DEFAULT_MODEL
    media = media_of_file(options.complete)
    model = options.model or default_model(media)
    if find_by_name(model).media != media:
        raise OptionError(
            f"{options.complete}: this is {MEDIA[media].one}, which {model} is not for; choose another model"
        )
    return model


def targets_for(options: CommandOptions, model: str, media: Media) -> Targets:
    """The files to write; OptionError when they cannot be of what is drawn.

    Several images go into one file as a grid; several recordings, or `.vqc` files, into files with numbers.
    """
    output, count, usual = options.output, options.count(media), MEDIA[media].restored
    if output is not None and stream_of(output):
        raise OptionError(f"-o {output}: what is drawn goes into files; name one, or a folder")
    if output is not None and (names_folder(output) or Path(output).is_dir()):
        suffix = usual if options.format is None else f".{options.format.lower().removeprefix('.')}"
        check_drawn(f"--format {suffix[1:]}", suffix, media)
        return numbered(Path(output) / f"{model}{suffix}", count)
    if options.format is not None:
        raise OptionError(f"--format {options.format}: this is for a folder; name one with -o, such as -o drawn/")
    path = Path(f"{model}.sample{usual}" if output is None else output)
    check_drawn(f"-o {path}", path.suffix.lower(), media)
    if count == 1 or path.suffix.lower() in written_as("image"):
        return {path: range(count)}
    return numbered(path, count)


def check_drawn(option_name: str, suffix: str, media: Media) -> None:
    """OptionError when what is drawn from a model for a medium cannot be written to files with this suffix."""
    if suffix != VQC and suffix not in written_as(media):
        fitting = join_suffixes((*usual_suffixes(media), VQC))
        raise OptionError(f"{option_name}: {MEDIA[media].plural} are drawn, which can be written as {fitting}")


def numbered(path: Path, count: int) -> Targets:
    """`name-01.wav`, `name-02.wav`, and so on, for one item each."""
    width = len(str(count))
    return {path.with_name(f"{path.stem}-{i + 1:0{width}}{path.suffix}"): [i] for i in range(count)}


def check_places(options: CommandOptions, targets: Targets) -> None:
    """OutputError, before anything slow, when a file cannot be written."""
    from vqc.atomic import check_target

    files = [*targets, *filter(None, [options.save_codes])]
    check_new(*files, force=options.force)
    for file in files:
        if file.parent.is_dir() or not names_folder(options.output or ""):  # a folder that was asked for is made
            check_target(file, overwrite=options.force)


def draw_items(options: CommandOptions, info: ModelInfo) -> tuple[Codec[Any, Any], Given | None, list[Codes]]:
    """Draw what is asked for; returns the codec and, of a file to complete, what is given as well."""
    from vqc.codec.open import open_codec
    from vqc.sampling.complete import draw_rest
    from vqc.sampling.sample import draw

    codec = open_codec(None, info.path, options.device)
    if options.complete is None:
        return codec, None, list(draw(codec, options))
    given, items = draw_rest(codec, options)
    return codec, given, list(items)


def write(
    codec: Codec[Any, Any], given: Given | None, drawn: Sequence[Codes], targets: Targets, *, force: bool
) -> None:
    """Write every file whole or not at all; a folder is made. Several proposals stand in a row, after what is given."""
    from vqc.atomic import write_atomically
    from vqc.codec.codes import restore
    from vqc.codec.media import Image
    from vqc.drawing.grid import draw_grid
    from vqc.sampling.sample import file_of

    for path, items in targets.items():
        path.parent.mkdir(exist_ok=True)
        if path.suffix.lower() == VQC:
            write_atomically(path, file_of(codec, drawn[items[0]]), overwrite=force)
        elif len(items) > 1:
            shown = [restore(codec, drawn[item]) for item in items]
            images = [image.array for image in shown if isinstance(image, Image)]
            if given is not None and given.shown is not None:
                images = [given.shown, *images]
            grid = draw_grid(images, columns=0 if given is None else len(images))
            Image(grid).save(path, overwrite=force)
        else:
            restore(codec, drawn[items[0]]).save(path, overwrite=force)


def tell(options: CommandOptions, info: ModelInfo, drawn: Sequence[Codes], targets: Targets, seconds: float) -> None:
    """Print what was drawn and where it is."""
    shape, files = drawn[0].shape, {str(path): path.stat().st_size for path in targets}
    if options.json:
        same = {name: getattr(options, name) for name in ("seed", "temperature", "top_p", "label", "guidance")}
        print_json(
            {"model": info.name, "digest": info.digest, "quality": drawn[0].quality, "items": len(drawn), **same}
            | {"files": [{"file": name, "bytes": count} for name, count in files.items()], "seconds": seconds}
        )
    elif not options.quiet:
        what = f"{len(drawn)} {MEDIA[info.media].plural}" if len(drawn) > 1 else MEDIA[info.media].one
        print(f"{what} of {shape.size_in_words} from {info.name}, seed {options.seed}, in {duration(seconds)}")
        for name, count in files.items():
            print(f"  {name}  {size(count)}")
