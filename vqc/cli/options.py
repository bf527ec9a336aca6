"""The options that several commands share, with one help text each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

Entropy = Literal["auto", "prior", "static", "none"]
Device = Literal["auto", "cpu", "cuda"]


def model_names() -> list[str]:
    """What completes --model."""
    from vqc.models.library import list_models

    return [info.name for info in list_models()]


def model_option(text: str, *, hidden: bool = False) -> Any:
    """--model, whose help differs from command to command."""
    return typer.Option("--model", "-m", metavar="MODEL", autocompletion=model_names, hidden=hidden, help=text)


DeviceOption = Annotated[
    Device, typer.Option("--device", metavar="DEVICE", help="Where the networks run: auto, cpu or cuda.")
]
JobsOption = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Files to work on at the same time.")]
ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
