"""`vqc verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from vqc.cli.headers import LimitOption
from vqc.cli.options import JsonOption, QuietOption, ThreadsOption
from vqc.cli.printing import print_json, problem_with, warn
from vqc.errors import VQCError


def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files that end in .vqc.")],
    no_decode: Annotated[
        bool, typer.Option("--no-decode", help="Check the checksum and that the model is here, but read no codes.")
    ] = False,
    limit: LimitOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check that .vqc files are whole and decode."""
    verdicts: list[dict[str, object]] = []
    for file in files:
        problem = check(file, limit, decode=not no_decode)
        verdicts.append({"file": file, "ok": not problem} | ({"error": problem} if problem else {}))
        if problem:
            warn(problem)
        elif not quiet and not json:
            print(f"{file}: ok")
    if json:
        print_json(verdicts)
    if not all(verdict["ok"] for verdict in verdicts):
        raise typer.Exit(1)


def check(file: str, limit: int | None, *, decode: bool) -> str:
    """What is wrong with a file, or an empty string."""
    from vqc.codec.verify import verify

    try:
        verify(file, decode=decode, limit=limit)
    except (VQCError, OSError, MemoryError) as error:
        return problem_with(file, error)
    return ""
