"""`vqc help`."""

from __future__ import annotations

from typing import Annotated

import typer

from vqc.cli.help_topics import TOPICS, overview
from vqc.errors import OptionError, did_you_mean


def topic_names() -> list[str]:
    """Return the completions of the argument."""
    return list(TOPICS)


def help_command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOPIC", autocompletion=topic_names, help="formats, qualities, files, or a command."),
    ] = None,
) -> None:
    """Explain formats, qualities or files, or show the help of a command."""
    assert context.parent is not None, "help stands below vqc"
    if words and words[0] in TOPICS and len(words) == 1:
        TOPICS[words[0]]()
        return
    command, below = context.parent.command, context.parent
    for word in words or []:
        known = getattr(command, "commands", {})
        if word not in known:
            names = [*TOPICS, *known] if below is context.parent else list(known)
            raise OptionError(f"help {' '.join(words or [])}: there is no such topic{did_you_mean(word, names)}")
        command = known[word]
        below = type(below)(command, info_name=word, parent=below)
    print(command.get_help(below))
    if not words:
        print()
        print(*overview(), sep="\n")
