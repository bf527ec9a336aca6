"""`vqc tokens`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vqc.cli.console import print_json
from vqc.cli.options import ForceOption, JsonOption, LimitOption, output_option
from vqc.errors import OutputError


def tokens(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .vqc file.")],
    output: Annotated[Path | None, output_option("OUT", "A .npy file. [default: standard output]")] = None,
    limit: LimitOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Print the codes of a .vqc file, as an array of NumPy or as JSON."""
    from vqc.atomic import check_target, write_atomically
    from vqc.codec.inspect.read_codes import npy_bytes, read_codes

    if output is not None:
        check_target(output, overwrite=force)
    codes = read_codes(file, limit=limit)
    if json:
        shape = list(codes.array.shape)
        print_json({"model": codes.model, "quality": codes.quality, "shape": shape, "codes": codes.array.tolist()})
        return
    if output is not None:
        write_atomically(output, npy_bytes(codes), overwrite=force)
    elif sys.stdout is None or sys.stdout.isatty():
        raise OutputError("a .npy file is no text for a terminal; give -o FILE, or --json")
    else:
        sys.stdout.buffer.write(npy_bytes(codes))
