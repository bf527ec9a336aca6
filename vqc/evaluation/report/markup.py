"""Pieces of HTML. Every text that comes from outside goes through `escape`."""

from __future__ import annotations

import base64
from html import escape

from vqc.evaluation.result_tables import Table

__all__ = ["data_uri", "escape", "section", "size", "table_of"]


def section(name: str, title: str, *parts: str) -> str:
    """A section with its headline, which a link can name."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def table_of(table: Table) -> str:
    """A table that scrolls sideways where there is no room, its first columns text."""
    rows, before, text_class = [], "", ' class="text"'
    head = "".join(
        f'<th scope="col"{text_class if i < table.left else ""}>{escape(text)}</th>'
        for i, text in enumerate(table.headers)
    )
    for row in table.rows:
        begins = ' class="begins"' if row[0] != before else ""
        before = row[0]
        cells = "".join(f"<td{text_class if i < table.left else ''}>{escape(text)}</td>" for i, text in enumerate(row))
        rows.append(f"<tr{begins}>{cells}</tr>")
    body = "".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}"><table>'
        f"<caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def data_uri(data: bytes, kind: str) -> str:
    """A file inside the page."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def size(count: int) -> str:
    """Bytes for people: 999 B, 12.3 kB, 4.56 MB (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    thousands, unit = (count / 1000, "kB") if count < 999_500 else (count / 1e6, "MB")
    return f"{thousands:#.3g}".removesuffix(".") + f" {unit}"
