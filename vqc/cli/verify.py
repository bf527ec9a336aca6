"""`vqc verify`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from vqc.cli.formats import DEFAULT_SUFFIX
from vqc.cli.headers import LimitOption, media_of, read_vqc
from vqc.cli.options import DeviceOption, JsonOption, QuietOption
from vqc.cli.printing import print_json, problem_with, warn
from vqc.errors import ContainerError, VQCError


def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files that end in .vqc.")],
    no_decode: Annotated[
        bool, typer.Option("--no-decode", help="Check the checksum and the model, but do not decode.")
    ] = False,
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check that .vqc files are whole and decode."""
    verdicts: list[dict[str, object]] = []
    for file in files:
        problem = check(file, limit, None if no_decode else device)
        verdicts.append({"file": file, "ok": not problem} | ({"error": problem} if problem else {}))
        if problem:
            warn(problem)
        elif not quiet and not json:
            print(f"{file}: ok")
    if json:
        print_json(verdicts)
    if not all(verdict["ok"] for verdict in verdicts):
        raise typer.Exit(1)


def check(file: str, limit: int | None, device: str | None) -> str:
    """What is wrong with a file, or an empty string. Decodes on the device unless that is None."""
    try:
        check_model(Path(file), limit)
        if device is not None:
            decode(Path(file), limit, device)
    except (VQCError, OSError, MemoryError) as error:
        return problem_with(file, error)
    return ""


def check_model(path: Path, limit: int | None) -> None:
    """Reads the file without decoding it and finds its model; raises the `VQCError` that decoding would."""
    from vqc.codec.container import CODECS
    from vqc.models.library import find_by_digest

    header = read_vqc(path, limit).header
    model = find_by_digest(header.digest)
    if CODECS[header.codec] != model.kind or header.quality > model.qualities:
        raise ContainerError(
            f"the .vqc file asks for codec {CODECS[header.codec]} at quality {header.quality}, but its model "
            f"{model.name} is {model.kind} with {model.qualities} qualities; the file is damaged, get it again"
        )


def decode(path: Path, limit: int | None, device: str) -> None:
    """Restores the file into a folder that is thrown away."""
    from vqc.codec.api import decompress_file

    suffix = DEFAULT_SUFFIX[media_of(read_vqc(path, limit).header)]
    with TemporaryDirectory(prefix="vqc-") as folder:
        decompress_file(path, Path(folder, f"restored{suffix}"), device=device, limit=limit)
