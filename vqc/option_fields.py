"""Options that are declared once, as fields of a dataclass: for callers in Python, and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """How an option is given on the command line: in the metadata of its field, by the key "command_line"."""

    flags: tuple[str, ...]
    help: str
    metavar: str | None
    least: int | None = None
    most: int | None = None
    type: Any = None  # that it has there; None: that of its field
    parse: Callable[[Any], Any] | None = None  # from that type to the field's
    panel: str | None = None  # title in the help, where it is not that of the name


def option(default: Any, flags: str, help: str, metavar: str | None = None, **rest: Any) -> Any:
    """Declare a field that the command line offers too.

    Args:
        flags: its names there, with spaces between, such as "--output -o".
        metavar: the word for its value in the help; None for one without a value.
        rest: of `CommandLine`.
    """
    line = CommandLine(flags=tuple(flags.split()), help=help, metavar=metavar, **rest)
    return field(default=default, metadata={"command_line": line})
