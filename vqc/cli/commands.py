"""Commands as this program has them: plain help whose options stand in groups, and errors of one sentence each.

Typer's own help is one long list of options, shows types as Python writes them and cuts sentences; what is wrong with a
value it says in the words of the library that found out. Both are put right here, once for every command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from vqc.cli.console import warn
from vqc.errors import OptionError

# Which options stand together in the help, in this order, whatever the command; all others stand under "Options".
GROUPS = {
    "Data": ("data", "split", "list", "limit", "files", "download", "alignments", "targets",
             "voices", "by-name"),
    "Quality": ("model", "quality", "lossless", "lambda", "target-size", "target-bpp", "target-kbps", "target-psnr",
                "target-msssim", "target-pesq", "effort", "sharp", "entropy"),
    "Training": ("preset", "set", "run-dir", "resume", "start-from", "steps", "time", "dry-run"),
    "Drawing": ("n", "size", "seconds", "class", "guidance", "temperature", "top-p", "complete", "keep", "hole"),
    "Voice": ("to", "pitch", "speakers"),
    "Measuring": ("against", "metrics", "context"),
    "Output": ("output", "archive", "shard-items", "decode", "format", "output-quality", "name", "add", "report", "csv",
               "picture", "tensorboard", "save-codes", "clips", "force", "skip-existing", "update", "metadata", "stats",
               "explain", "salvage", "json", "quiet"),
    "Sound": ("start", "duration", "chunk", "live", "raw"),
    "Speed": ("device", "jobs", "ray", "threads"),
}  # fmt: skip
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]  # which Typer does not name in public
FEW = 8  # options that need no groups
ADDRESS = re.compile(r"auto|local|(ray://)?(\[[0-9a-f:]+\]|[\w.-]+):\d+")  # of a Ray cluster
RANGE = re.compile(r"; (?:[\d.]+<=x<=[\d.]+|x[<>]=[\d.]+)|  \[(?:[\d.]+<=x<=[\d.]+|x[<>]=[\d.]+)\]")

_Record = tuple[str, str]  # an option as it is typed, and what it does
Function = TypeVar("Function", bound=Callable[..., Any])

if TYPE_CHECKING:
    from typer.core import TyperCommand as _Base
else:
    _Base = object


class _Plain(_Base):
    """Base of commands and of groups of commands; stands before Typer's class among the bases."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as Typer does, but a value that cannot be used is an OptionError."""
        for parameter in self.get_params(ctx):
            convert_only_when_needed(parameter)
        try:
            rest: list[str] = super().parse_args(ctx, with_addresses(args))
            return rest
        except typer.BadParameter as error:
            problem = about_value(error)
            if problem is None:
                raise
            raise OptionError(problem) from None
        except USAGE_ERROR as error:
            file = taken_for_options(args) if hasattr(error, "option_name") else None  # of no such option alone
            if file is None:
                raise
            raise OptionError(f"{file}: begins with a dash and is taken for options; write ./{file}") from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`INPUT...` and not `{INPUT}...`."""
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole sentence: a list of commands has room for two lines."""
        sentence: str = super().get_short_help_str(1000)
        return sentence

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options, in groups if they are many."""
        arguments, options, groups = list[_Record](), list[_Record](), dict[str, list[tuple[int, _Record]]]()
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            text = RANGE.sub("", record[1])  # which the metavar or the words say
            if parameter.param_type_name == "argument":
                arguments.append((parameter.metavar or record[0], text))
            else:
                options.append((record[0], text))
                title, place = group_of(parameter)
                groups.setdefault(title, []).append((place, options[-1]))
        shown = {title: [record for _, record in sorted(found, key=itemgetter(0))] for title, found in groups.items()}
        shown["Options"] = shown.pop("Options", [])  # last
        if len(options) <= FEW:
            shown = {"Options": options}
        for title, records in [("Arguments", arguments), *shown.items()]:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Plain, TyperCommand):
    """A command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as above; what no argument of the command takes is refused with a hint where it belongs."""
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            takes_data = any("--data" in parameter.opts for parameter in self.params)
            hint = f"give data with --data {extra[0]}" if takes_data else f"see {ctx.command_path} --help"
            raise OptionError(f"{extra[0]}: {ctx.command_path} has no place for it; {hint}")
        return extra


class Group(_Plain, TyperGroup):
    """Commands under one name."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options as above, and the commands below."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Invoke as Typer does, with a word after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if ctx.parent is None:
                warn("stopped; what was finished is kept, and nothing half-done is left")
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve as Typer does; a file where a command belongs is refused with a hint where it belongs."""
        word = args[0]
        if self.get_command(ctx, word) is None and (Path(word).exists() or Path(word).suffix):
            raise OptionError(f"{word}: this is no command of {ctx.command_path}{self.place_for(word)}")
        return super().resolve_command(ctx, args)

    def place_for(self, file: str) -> str:
        """Say what takes a file where a command belongs, as the end of a sentence."""
        if any("--data" in parameter.opts for parameter in self.params):
            return f"; to work on it give --data {file}"
        if "compress" in self.commands:
            verb = "decompress" if file.endswith(".vqc") else "compress"
            return f"; did you mean vqc {verb} {file}?"
        return ""


class App(typer.Typer):
    """A group of commands as this program has them; `settings` are those of Typer."""

    def __init__(self, help: str, **settings: Any) -> None:
        super().__init__(
            help=help,
            cls=Group,
            rich_markup_mode=None,  # plain help: starts faster and is the same text in every terminal
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """Register a `Command`, as Typer does."""
        return super().command(name, **{"cls": Command, **settings})


class LazyConversion:
    """Conversion of the values of a parameter that leaves alone those which need none, most of all defaults."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as the command takes it; stands in for what Typer would build."""
        kind = param.type_descriptor.annotation
        if not isinstance(value, str | tuple | list):
            return value if value is not None or not param.multiple else ()
        if isinstance(value, str) and (kind is str or (get_origin(kind) is Literal and value in get_args(kind))):
            return value
        if kind == list[str]:
            return list(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def with_addresses(args: Sequence[str]) -> list[str]:
    """The arguments, with an empty address after each `--ray` that is followed by nothing that looks like one."""
    whole = list(args)
    for place, word in enumerate(args):
        following = args[place + 1] if place + 1 < len(args) else ""
        if word == "--ray" and not ADDRESS.fullmatch(following):
            whole[place] = "--ray="
        if word == "--":
            break
    return whole


def taken_for_options(args: Sequence[str]) -> str | None:
    """The first file among the arguments whose name begins with a dash, if there is one."""
    return next((word for word in args if word.startswith("-") and len(word) > 1 and Path(word).exists()), None)


def convert_only_when_needed(parameter: Any) -> None:
    """Spare most commands the import of pydantic, by which Typer converts values: half of all imports before torch."""
    if typer.__version__.startswith("0.29.") and parameter._runtime_param is None:  # no part of Typer's interface
        parameter._runtime_param = LazyConversion()


def group_of(parameter: Any) -> tuple[str, int]:
    """Return the title under which an option stands, and its place there.

    Where one name means different things, a command names the title itself, as Typer's `rich_help_panel`.
    """
    bare = [name.lstrip("-") for name in parameter.opts]
    found = ((title, members.index(name)) for title, members in GROUPS.items() for name in bare if name in members)
    title, place = next(found, ("Options", 0))
    return parameter.rich_help_panel or title, place


def about_value(error: typer.BadParameter) -> str | None:
    """Say what is wrong with the value of an option; None where Typer says it well enough.

    Typer 0.29 reports what pydantic found; of other versions the words are taken as they come.
    """
    found = getattr(error.__cause__, "errors", None)
    if found is None or error.param is None:
        return None
    problem, parameter = found()[0], error.param
    given = f"{max(parameter.opts, key=len)} {problem['input']}"
    choices = re.search(r"is not one of (.*)\.", str(problem["msg"]))
    if choices:
        words = re.findall(r"'([^']*)'", choices[1])
        return f"{given}: choose one of {', '.join(words)}"
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    of_integers = str(problem["type"]).startswith("int") or isinstance(low, int)
    if not of_integers and not str(problem["type"]).startswith("float"):
        return None
    span = "" if low is None else f" from {low} to {high}" if high is not None else f", {low} or more"
    return f"{given}: give a {'whole ' * of_integers}number{span}"
