"""`vqc tokens`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vqc.cli.console import as_json, print_json
from vqc.cli.options import ForceOption, JsonOption, LimitOption, output_option
from vqc.errors import ContainerError, OptionError, OutputError


def tokens(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .vqc file.")],
    output: Annotated[
        Path | None, output_option("OUT", "A .npy file, or with --json a .json file. [default: standard output]")
    ] = None,
    limit: LimitOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Print the codes of a .vqc file, as an array of NumPy or as JSON."""
    from vqc.atomic import check_target, write_atomically
    from vqc.codec.inspect.read_codes import npy_bytes, read_codes

    if output is not None:
        check_target(output, overwrite=force)
    try:
        codes = read_codes(file, limit=limit)
    except (ContainerError, OptionError) as error:  # which do not know the name of the file
        raise type(error)(f"{file}: {error}") from error
    shape = list(codes.array.shape)
    document = {"model": codes.model, "quality": codes.quality, "shape": shape, "codes": codes.array.tolist()}
    if output is not None:
        data = f"{as_json(document)}\n".encode() if json else npy_bytes(codes)
        write_atomically(output, data, overwrite=force)
    elif json:
        print_json(document)
    elif sys.stdout is None or sys.stdout.isatty():
        raise OutputError("a .npy file is no text for a terminal; give -o FILE, or --json")
    else:
        sys.stdout.buffer.write(npy_bytes(codes))
