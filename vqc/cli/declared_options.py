"""Options of a command that are declared as the fields of a dataclass, once for the library and the command line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

import typer


def parameters_of(options: type[Any], own: Mapping[str, Any]) -> list[inspect.Parameter]:
    """The parameters of a command, as Typer reads them, for the fields of a dataclass that the command line offers.

    Args:
        options: the dataclass; the metadata of its fields say how they are given: see `vqc.training.options.option`.
        own: what a command says in its own words, by field: help, or a type that is annotated for Typer.
    """
    hints = get_type_hints(options)
    found = []
    for field in fields(options):
        if (line := field.metadata.get("command_line")) is None:
            continue
        annotation = own.get(field.name, line.help)
        if isinstance(annotation, str):
            shown = typer.Option(*line.flags, metavar=line.metavar, help=annotation, min=line.least)
            annotation = Annotated[line.type or hints[field.name], shown]
        default = field.default if field.default or field.default is False else None  # Typer shows "" and ()
        if default is None:
            annotation = Annotated[annotation.__origin__ | None, *annotation.__metadata__]
        kind = inspect.Parameter.KEYWORD_ONLY
        found.append(inspect.Parameter(field.name, kind, default=default, annotation=annotation))
    return found


def values_of(options: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass from what was given on the command line; what was left out is left out."""
    values = {}
    for field in fields(options):
        value, line = given.get(field.name), field.metadata.get("command_line")
        if line is not None and value is not None:
            values[field.name] = value if line.parse is None else line.parse(value)
    return values
