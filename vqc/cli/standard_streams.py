"""Standard input, standard output, and other results that are no files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vqc.cli.inputs import STREAM
from vqc.cli.outputs import STANDARD_OUTPUT, stream_of
from vqc.errors import MediaError, OptionError, OutputError

if TYPE_CHECKING:
    from vqc.cli.outputs import Stream
    from vqc.cli.plan import Job

LIVE_INPUT = Path("standard input")  # no file: it is read as it comes
CLOSED_OUTPUT = "standard output is closed; give the result a file with -o"


def check_streams(inputs: Sequence[str], output: str | None, *, as_json: bool) -> None:
    """Standard output must be open if something goes there, and holds either the result or the JSON about it."""
    stream = STANDARD_OUTPUT if output is None and STREAM in inputs else stream_of(output)
    if stream == STANDARD_OUTPUT and sys.stdout is None:
        raise OutputError(CLOSED_OUTPUT)
    if stream == STANDARD_OUTPUT and as_json:
        raise OptionError("--json and the result cannot both go to standard output; give the result a file with -o")


@contextmanager
def writable(job: Job, *, live: bool = False) -> Iterator[Any]:
    """The path to write to. A stream gets all of it at the end, or nothing if anything goes wrong.

    With `live` the stream itself is given, open for writing, and gets what is written at once.
    """
    if job.target is not None:
        yield job.target
        return
    if live:
        with opened(job.stream) as stream:
            yield stream
        return
    with tempfile.TemporaryDirectory(prefix="vqc-") as folder:
        target = Path(folder, f"stdout{job.suffix}")
        yield target
        with target.open("rb") as file, opened(job.stream) as stream:
            shutil.copyfileobj(file, stream)
            stream.flush()


@contextmanager
def opened(stream: Stream) -> Iterator[BinaryIO]:
    """The stream, open for writing."""
    if stream == STANDARD_OUTPUT:
        yield sys.stdout.buffer
    elif stream.descriptor is not None:
        with os.fdopen(os.dup(stream.descriptor), "wb") as file:
            yield file
    else:
        with Path(stream.name).open("wb") as file:
            yield file


@contextmanager
def standard_input(inputs: Sequence[str], begin: bytes = b"") -> Iterator[Path | None]:
    """A file with what came in on standard input, when `-` is among the inputs; `begin` was read of it before."""
    if STREAM not in inputs:
        yield None
        return
    if sys.stdin is None:
        raise MediaError("standard input is closed; give the name of a file instead of -")
    with tempfile.TemporaryDirectory(prefix="vqc-") as folder:
        source = Path(folder, "stdin")
        with source.open("wb") as file:
            file.write(begin)
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield source


@contextmanager
def flushed_output() -> Iterator[None]:
    """Flush standard output at the end, or raise the OSError of it; a reader that went away is no error."""
    try:
        yield
    finally:
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter will try again
            if not isinstance(error, BrokenPipeError):
                raise


def repair_standard_files() -> None:
    """Keep files from taking the place of standard ones that were closed when the program was started.

    Without standard error its lines go nowhere, not to standard output.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115, open as long as the program runs
