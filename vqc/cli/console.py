"""Printing of the commands: results on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from vqc.errors import OutputError, VQCError, VQCWarning


def sentence(error: BaseException) -> str:
    """One line that names the thing and says what is wrong with it."""
    if isinstance(error, VQCError | VQCWarning):
        return printable(" ".join(str(error).split()).removesuffix("."))
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "not enough memory; try fewer --jobs or smaller files"
    return f"{type(error).__name__}: {error}"


def printable(text: str) -> str:
    """Text for a terminal: what is not printable, as in the name of a stranger's file, becomes an escape."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def problem_with(name: str, error: BaseException) -> str:
    """`sentence`, with the name of the file before it unless it is in it already."""
    problem = sentence(error)
    return problem if name in problem else f"{name}: {problem}"


def warn(text: str) -> None:
    """Print one line on stderr."""
    print(f"vqc: {text}", file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """Print a JSON document on stdout; OutputError when that is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed, and --json goes there")
    utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    print(as_json(value, ascii_only=not utf8))


def as_json(value: object, *, ascii_only: bool = False) -> str:
    """The text of a JSON document. Not-a-number and infinity have no JSON and become null."""
    return json.dumps(finite(value), indent=2, ensure_ascii=ascii_only)


def finite(value: object) -> object:
    """The same value with every float that JSON cannot hold replaced by None."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, file: TextIO | None = None
) -> None:
    """Print a table, by default on stdout. The first `left` columns are text, the rest numbers, set to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    file = file or sys.stdout
    endless = None if file.isatty() else 1 << 16  # a pipe or a file has no width: never fold there
    Console(file=file, highlight=False, markup=False, emoji=False, width=endless).print(table)


def print_fields(fields: Mapping[str, str]) -> None:
    """Print `name  value` lines on stdout, the values under each other."""
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:<{width}}  {value}")


def size(count: int) -> str:
    """Bytes for people: 999 B, 12.3 kB, 4.56 MB (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    units = ["kB", "MB", "GB", "TB"]
    power = next((power for power in (1, 2, 3) if count < 999.5 * 1000**power), 4)
    return f"{number(count / 1000**power)} {units[power - 1]}"


def number(value: float) -> str:
    """Three significant digits, never an exponent: 0.0987, 1.58, 98.4, 12,345."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:#.3g}".removesuffix(".")


def duration(seconds: float) -> str:
    """A length of time for people: 0.42 s, 12.3 s, 3:07 min, 1:02:03 h."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def clock(seconds: int) -> str:
    """A time within a recording: 0:07, 12:03, 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
