"""The options that several commands share, with one help text each."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import typer

from vqc.errors import OptionError, VQCWarning
from vqc.processors import jobs, set_threads

Entropy = Literal["auto", "prior", "static", "none"]
Device = Literal["auto", "cpu", "cuda"]


def model_names() -> list[str]:
    """What completes --model."""
    from vqc.models.files.zoo import list_models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [info.name for info in list_models()]


def model_option(text: str, *, hidden: bool = False) -> Any:
    """--model, whose help differs from command to command."""
    return typer.Option("--model", "-m", metavar="MODEL", autocompletion=model_names, hidden=hidden, help=text)


InputsArgument = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, or - for standard input.")]
DeviceOption = Annotated[
    Device, typer.Option("--device", metavar="DEVICE", help="Where the networks run: auto, cpu or cuda.")
]


def use_threads(count: int | None) -> int | None:
    """Callback of --threads: takes effect before a command runs, and with that before torch is loaded."""
    if count is not None:
        set_threads(count)
    return count


# Commands need not look at it: its callback has done what there is to do.
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, callback=use_threads, help="CPU threads to compute with. [default: cores]"
    ),
]


def number_of_jobs(text: str | int) -> int:
    """What was given with --jobs; OptionError when it is no number above 0 and not auto."""
    if text == "auto":
        return jobs()
    if not str(text).isdecimal() or not int(text):
        raise OptionError(f"--jobs {text}: give a whole number, 1 or more, or auto")
    return int(text)


JobsOption = Annotated[
    int, typer.Option("--jobs", metavar="N", parser=number_of_jobs, help="Files to work on at the same time, or auto.")
]
ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
SkipOption = Annotated[bool, typer.Option("--skip-existing", help="Leave results that exist as they are; count them.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def hush(quiet: bool) -> bool:
    """Callback of --quiet: the library's warnings go nowhere."""
    if quiet:
        warnings.simplefilter("ignore", VQCWarning)
    return quiet


QuietOption = Annotated[bool, typer.Option("--quiet", callback=hush, help="Print nothing but errors.")]
