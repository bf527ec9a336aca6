"""`vqc info`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.console import duration, number, print_fields, print_json, printable, problem_with, size, warn
from vqc.cli.file_reports import coding_of
from vqc.cli.models import model_as_dict, print_model
from vqc.cli.options import JsonOption, LimitOption, ThreadsOption
from vqc.cli.vqc_file import read_file
from vqc.data.formats import MEDIA
from vqc.errors import MediaError, VQCError, did_you_mean

if TYPE_CHECKING:
    from vqc.codec.inspect.info import FileInfo
    from vqc.format.container import Container, Entropy
    from vqc.format.metadata import Metadata
    from vqc.models.files.header import ModelInfo


def info(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Files that end in .vqc, model files, folders of such, or models."),
    ],
    costs: Annotated[
        bool, typer.Option("--costs", help="Also read the codes; print what each entropy mode makes of the file.")
    ] = False,
    limit: LimitOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Describe .vqc files and models without decoding them."""
    described: list[dict[str, Any]] = []
    failed = False
    found = expand_folders(files)
    for index, (file, error) in enumerate(found):
        try:
            if error is not None:
                raise error
            fields, show = describe(file, limit, costs=costs)
        except VQCError as failure:
            problem = problem_with(file, failure)
            warn(problem)
            described.append({"file": file, "error": problem})
            failed = True
            continue
        described.append({"file": file} | fields)
        if not json:
            if len(found) > 1:
                print(f"{chr(10) if index else ''}{file}")
            show()
    if json:
        print_json(described)
    if failed:
        raise typer.Exit(1)


def expand_folders(files: Sequence[str]) -> list[tuple[str, VQCError | None]]:
    """The names, and in the place of a folder those of the files in it and what cannot be read there."""
    from vqc.cli.inputs import find_inputs

    named: list[tuple[str, VQCError | None]] = []
    for name in files:
        if not Path(name).is_dir():
            named.append((name, None))
            continue
        found = find_inputs([name], frozenset({".vqc", ".safetensors"}), ".vqc files or models")
        named += [(source.name, None) for source in found.sources] + list(found.failures)
    return named


def describe(name: str, limit: int | None, *, costs: bool) -> tuple[dict[str, Any], Callable[[], None]]:
    """Return what is known of a file, or a model by its name, for programs, and a function that prints it for people.

    With `costs` the codes of a `.vqc` file are read, if its model is at hand.
    """
    from vqc.codec.inspect.info import info_of

    path = Path(name)
    if is_model(path) or not path.exists():
        model = model_called(name)
        return {"type": "model"} | model_as_dict(model), lambda: print_model(model)
    container = read_file(path, limit)
    described = info_of(container, path.stat().st_size)
    fields, words = info_as_dict(described), in_words(described)
    if costs and described.has_codes:
        lengths = costs_of(container) if fields["model"] else None
        fields["bytes_by_entropy"] = lengths
        words |= costs_in_words(lengths, container.header.entropy)
    return fields, lambda: print_fields(words)


def model_called(name: str) -> ModelInfo:
    """The model of this name or in this file; MediaError when it is neither a model nor a file."""
    from vqc.models.files.zoo import find_by_name, list_models

    if Path(name).exists():
        from vqc.models.files.header import read_info

        return read_info(name)
    names = [model.name for model in list_models()]
    if name not in names:
        raise MediaError(f"{name}: there is no such file, and no model of that name{did_you_mean(name, names)}")
    return find_by_name(name)


def is_model(path: Path) -> bool:
    """Return whether a file is meant to be a model: by its suffix, or because it begins like a safetensors file."""
    if path.suffix == ".safetensors":
        return True
    try:
        with path.open("rb") as file:
            return file.read(10)[8:] == b'{"'
    except OSError:
        return False  # reading it again gives the error


def info_as_dict(described: FileInfo) -> dict[str, Any]:
    """The header of a file, its model and its rate, for JSON."""
    return {
        "type": "vqc",
        **coding_of(described),
        "codec": described.kind,
        "digest": described.digest,
        **vars(described.shape),
        "streamed": described.streamed,
        "bytes": described.bytes,
        "code_bytes": described.code_bytes,
        "alpha_bytes": described.alpha_bytes,
        "metadata_bytes": described.metadata_bytes,
        "other_bytes": described.other_bytes,
        **({"metadata": told(described.metadata)} if described.metadata else {}),
        MEDIA[described.media].key: described.rate,
    }


def costs_of(container: Container) -> Mapping[Entropy, int | None]:
    """Bytes of the file with each entropy mode; None for one that the model lacks."""
    from vqc.codec.inspect.explain import bytes_by_mode
    from vqc.codec.open import codec_for_file

    return bytes_by_mode(codec_for_file(container.header, "cpu"), container)


def costs_in_words(lengths: Mapping[Entropy, int | None] | None, used: Entropy) -> dict[str, str]:
    """A line for each entropy mode: 12,345 B, 23.4 % more."""
    if lengths is None:
        return {"costs": "unknown without the model"}
    now = lengths[used]
    assert now is not None, "the file has the mode that it has"

    def compared(mode: Entropy, length: int | None) -> str:
        if length is None:
            return "the model has no prior"
        change = number(100 * abs(length - now) / now)
        words = "used" if mode == used else f"{change} % {'more' if length >= now else 'less'}"
        return f"{length:,} B, {words}"

    return {f"as {mode}": compared(mode, length) for mode, length in lengths.items()}


def in_words(described: FileInfo) -> dict[str, str]:
    """The fields that people read."""
    contents = {"image": image_in_words, "audio": audio_in_words}[described.media](described.shape)
    contents += ", streamed" * described.streamed
    alpha = f" + {size(described.alpha_bytes)} of alpha" if described.alpha_bytes else ""
    fields = f" + {size(described.metadata_bytes)} of metadata" if described.metadata_bytes else ""
    coded = "codes" if described.has_codes else "pixels"
    parts = f"{size(described.code_bytes)} of {coded}{alpha}{fields} + {described.other_bytes} B"
    about = ", ".join(f"{name} {printable(value)}" for name, value in told(described.metadata).items())
    return {
        "contents": contents,
        **model_in_words(described),
        "rate": f"{number(described.rate)} {MEDIA[described.media].unit}",
        "size": f"{size(described.bytes)} = {parts}",
        **({"metadata": about} if about else {}),
    }


def model_in_words(described: FileInfo) -> dict[str, str]:
    """What made the codes, and how."""
    if not described.has_codes:
        from vqc.format.plain import AVIF

        least = min(AVIF)
        kept = {
            "lossless": "kept without loss",
            "avif": f"kept as AVIF, {'up to' if described.quality == least else 'above'} quality {least}",
        }
        return {"model": f"none, {kept.get(described.kind, 'kept as this version does not know')}"}
    return {
        "model": f"{described.model or 'not at hand'} ({described.kind}, {described.digest})",
        "quality": str(described.quality),
        "entropy": described.entropy,
    }


def told(metadata: Metadata) -> dict[str, str]:
    """What metadata says, by name."""
    if not metadata:
        return {}
    from vqc.data.metadata import described

    return described(metadata)


def image_in_words(shape: Any) -> str:
    """Describe an `ImageShape`."""
    extras = " in grayscale" * shape.grayscale + " with alpha" * shape.alpha
    return f"image, {shape.width} x {shape.height} pixels{extras}"


def audio_in_words(shape: Any) -> str:
    """Describe an `AudioShape`."""
    extras = " (mid and side)" * shape.mid_side
    chunks = f", chunks of {shape.chunk_frames} frames" if shape.chunk_frames else ""
    length = duration(shape.seconds)
    return (
        f"audio, {length}, {shape.sample_rate} Hz, channels: {shape.channels}{extras}, {shape.samples} samples{chunks}"
    )
