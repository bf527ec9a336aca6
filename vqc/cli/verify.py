"""`vqc verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from vqc.cli.console import print_json, problem_with, warn
from vqc.cli.inputs import InputFile, find_inputs, skipped_note
from vqc.cli.options import InputsArgument, JsonOption, LimitOption, QuietOption, ThreadsOption
from vqc.cli.standard_streams import standard_input
from vqc.errors import VQCError


def verify(
    inputs: InputsArgument,
    no_decode: Annotated[
        bool, typer.Option("--no-decode", help="Check the checksum and that the model is here, but read no codes.")
    ] = False,
    limit: LimitOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check that .vqc files are whole and decode."""
    with standard_input(inputs) as stdin:
        found = find_inputs(inputs, frozenset({".vqc"}), ".vqc files", stdin)
        verdicts = [show(name, problem_with(name, error), quiet=True) for name, error in found.failures]
        for source in found.sources:
            problem = check(source, limit, decode=not no_decode)
            verdicts.append(show(source.name, problem, quiet=quiet or json))
    if json:
        print_json(verdicts)
    if (note := skipped_note(found.others)) and not quiet:
        warn(note)
    if not all(verdict["ok"] for verdict in verdicts):
        raise typer.Exit(1)


def show(name: str, problem: str, *, quiet: bool) -> dict[str, object]:
    """Print what was found of a file; returns it for JSON."""
    if problem:
        warn(problem)
        return {"file": name, "ok": False, "error": problem}
    if not quiet:
        print(f"{name}: ok")
    return {"file": name, "ok": True}


def check(source: InputFile, limit: int | None, *, decode: bool) -> str:
    """Say what is wrong with a file; an empty string if nothing is."""
    from vqc.codec.inspect.verify import verify

    try:
        verify(source.path, decode=decode, limit=limit)
    except (VQCError, OSError, MemoryError) as error:
        return problem_with(str(source.path), error).replace(str(source.path), source.name)
    return ""
