"""The options that several commands share, with one help text each, and options as the fields of a dataclass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import MISSING, field, fields
from inspect import Parameter, Signature, get_annotations, signature
from typing import Annotated, Any, Literal, get_type_hints

import typer

from vqc.errors import OptionError, VQCWarning
from vqc.processors import jobs, set_threads

Entropy = Literal["auto", "prior", "static", "none"]
Device = Literal["auto", "cpu", "cuda"]


def model_names() -> list[str]:
    """Return the completions of --model."""
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
    """Parse --jobs; OptionError when it is no number above 0 and not auto."""
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


LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="Refuse files that claim more pixels, or samples per channel, than this."
    ),
]


def silence_warnings(quiet: bool) -> bool:
    """Callback of --quiet: the library's warnings go nowhere."""
    if quiet:
        warnings.simplefilter("ignore", VQCWarning)
    return quiet


QuietOption = Annotated[bool, typer.Option("--quiet", callback=silence_warnings, help="Print nothing but errors.")]


def option(help: str, *short: str, metavar: str | None = None, default: Any = None, **settings: Any) -> Any:  # noqa: A002
    """Declare a field of a dataclass as an option, for `takes`.

    Args:
        short: other names, such as "-o".
        settings: as of `typer.Option`; and `called`, where the long name is not that of the field.
    """
    return field(default=default, metadata={"help": help, "short": short, "metavar": metavar, **settings})


def flag(help: str, *short: str) -> Any:  # noqa: A002
    """Declare a field of a dataclass as an option without a value."""
    return option(help, *short, default=False)


def takes(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function whose last argument is a dataclass: its fields are the options.

    A field is declared by `option` or `flag`, or annotated as Typer has it for the parameters of a function. In the
    help the fields of a class stand before those of its bases.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        *before, _ = signature(function, eval_str=True).parameters.values()
        names = {parameter.name for parameter in before}
        hints = get_type_hints(kind, include_extras=True)
        classes = list(enumerate(kind.__mro__))
        depth = {name: number for number, base in reversed(classes) for name in get_annotations(base)}

        def command(**given: Any) -> None:
            function(*(given.pop(name) for name in names), kind(**given))

        options = [
            Parameter(
                each.name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if each.default is MISSING else each.default,
                annotation=_annotated(hints[each.name], each.name, **each.metadata),
            )
            for each in sorted(fields(kind), key=lambda each: depth[each.name])
        ]
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*before, *options)}
        command.__signature__ = Signature([*before, *options])  # type: ignore[attr-defined]
        return command

    return decorate


def _annotated(hint: Any, name: str, *, short: tuple[str, ...] = (), called: str = "", **settings: Any) -> Any:
    if not settings:  # annotated already
        return hint
    return Annotated[hint, typer.Option(f"--{called or name.replace('_', '-')}", *short, **settings)]
