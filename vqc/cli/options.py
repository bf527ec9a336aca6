"""The options that several commands share, with one help text each, and options as the fields of a dataclass."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from inspect import Parameter, Signature, get_annotations, signature
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_origin, get_type_hints

import typer

from vqc.errors import OptionError, VQCWarning
from vqc.processors import jobs, set_threads
from vqc.scheduling.workers import LOCAL, Workers

Entropy = Literal["auto", "prior", "static", "none"]
Device = Literal["auto", "cpu", "cuda"]
Pitch = Literal["target", "keep"] | float  # a number: semitones


def model_names() -> list[str]:
    """Return the completions of --model."""
    from vqc.models.files.zoo import list_models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [info.name for info in list_models()]


def model_option(text: str, *, hidden: bool = False) -> Any:
    """--model, whose help differs from command to command."""
    return typer.Option("--model", "-m", metavar="MODEL", autocompletion=model_names, hidden=hidden, help=text)


def output_option(metavar: str, text: str, *, show_default: bool = True) -> Any:
    """--output, whose help differs from command to command."""
    return typer.Option("--output", "-o", metavar=metavar, help=text, show_default=show_default)


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


def seconds_of(text: str) -> float:
    """Parse a time as ffmpeg takes it: seconds, M:SS or H:MM:SS, with a fraction or without; OptionError for others."""
    found = re.fullmatch(r"(?:(?:(\d+):)?([0-5]?\d):(?=[0-5]?\d(?:\.|$)))?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if found is None:
        raise OptionError(f"{text}: this is no time; give seconds (90), M:SS (1:30) or H:MM:SS (1:02:03.5)")
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def pitch_of(text: str) -> Pitch:
    """Parse --pitch; OptionError when it is neither a word nor a number of semitones."""
    if text == "target":
        return "target"
    if text == "keep":
        return "keep"
    try:
        semitones = float(text)
    except ValueError:
        semitones = float("nan")
    if not abs(semitones) <= 36:
        raise OptionError(f"--pitch {text}: give target, keep, or semitones from -36 to 36")
    return semitones


JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        parser=number_of_jobs,
        help="Files to work on at the same time, or auto. [default: 1; with --ray all that the cluster can]",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", metavar="[ADDRESS]", help="Work on a Ray cluster; without ADDRESS on one of this machine."),
]


def workers_of(jobs: int | None, ray: str | None, device: str) -> Workers:
    """Workers as `--jobs`, `--ray` and `--device` ask for them; `--ray` without an address is an empty string."""
    address = ray if ray is None else ray or os.environ.get("RAY_ADDRESS", "") or LOCAL
    return Workers(jobs, address, 1.0 if device == "cuda" else 0.0)


ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
SkipOption = Annotated[bool, typer.Option("--skip-existing", help="Leave results that exist as they are; count them.")]
UpdateOption = Annotated[
    bool, typer.Option("--update", help="Do only what has no result yet, or was changed since; replace those.")
]
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


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """What the commands that work on many files have in common."""

    device: DeviceOption = "auto"
    jobs: JobsOption = None
    ray: RayOption = None
    threads: ThreadsOption = None
    limit: LimitOption = None
    json: JsonOption = False
    quiet: QuietOption = False

    @property
    def workers(self) -> Workers:
        """Who does the work."""
        return workers_of(self.jobs, self.ray, self.device)

    def only(self, *names: str) -> dict[str, Any]:
        """Return these options, as keyword arguments."""
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What the commands that measure and then print have in common."""

    threads: ThreadsOption = None
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False


def takes(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function whose last argument is a dataclass of options."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        *before, _ = signature(function, eval_str=True).parameters.values()

        def command(**given: Any) -> None:
            function(*(given.pop(parameter.name) for parameter in before), kind(**values_of(kind, given)))

        parameters = [*before, *parameters_of(kind)]
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def parameters_of(kind: type[Any], own: Mapping[str, Any] = MappingProxyType({})) -> list[Parameter]:
    """Return the parameters of a command, as Typer reads them, for the fields of a dataclass.

    A field is offered if it is declared by `vqc.option_fields.option`, or annotated for Typer. Those of a class stand
    before those of its bases.

    Args:
        own: what a command says in its own words, by field: help, or a type that is annotated for Typer.
    """
    hints = get_type_hints(kind, include_extras=True)
    classes = list(enumerate(kind.__mro__))
    depth = {name: number for number, base in reversed(classes) for name in get_annotations(base)}
    found = []
    for each in sorted(fields(kind), key=lambda each: depth[each.name]):
        line, annotation = each.metadata.get("command_line"), own.get(each.name, "")
        if line is None:
            if get_origin(hints[each.name]) is Annotated:
                default = Parameter.empty if each.default is MISSING else each.default
                found.append(Parameter(each.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[each.name]))
            continue
        if not get_origin(annotation):
            shown = typer.Option(
                *line.flags,
                metavar=line.metavar,
                help=annotation or line.help,
                min=line.least,
                max=line.most,
                rich_help_panel=line.panel,
            )
            annotation = Annotated[line.type or hints[each.name], shown]
        default = each.default if each.default or each.default is False else None  # Typer shows "" and ()
        if default is None:
            annotation = Annotated[annotation.__origin__ | None, *annotation.__metadata__]
        found.append(Parameter(each.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return found


def values_of(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass from what was given on the command line; what was left out is left out."""
    values = {}
    for each in fields(kind):
        value, line = given.get(each.name), each.metadata.get("command_line")
        if value is not None:
            values[each.name] = value if line is None or line.parse is None else line.parse(value)
    return values
