"""Pages of the site that are not in docs/: the help of every command, and a reference of every room by its docstrings.

A hook of MkDocs; see mkdocs.yml. Links from docs/ to files of the repository become plain text on the site.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from typer.main import get_command
from typer.testing import CliRunner

from vqc.cli.app import app

ROOT = Path(__file__).parent.parent
ROOMS = sorted(["pillow", "torch", *(path.parent.name for path in (ROOT / "vqc").glob("*/__init__.py"))])
TO_REPOSITORY = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_config(config: Any) -> Any:
    """Add the pages that are made here to the navigation."""
    rooms = [f"reference/{room}.md" for room in ROOMS]
    config.nav = [*config.nav, "commands.md", "reference/index.md", {"Rooms": rooms}]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Make those pages."""
    pages = {"commands.md": commands(), "reference/index.md": reference("vqc", "Reference", submodules=False)}
    pages |= {f"reference/{room}.md": reference(f"vqc.{room}", room) for room in ROOMS}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn links to files that are not on the site into text."""
    return TO_REPOSITORY.sub(r"\1", markdown)


def reference(name: str, title: str, *, submodules: bool = True) -> str:
    option = "" if submodules else "\n    options:\n      show_submodules: false"
    return f"# {title}\n\n::: {name}{option}\n"


def commands() -> str:
    """The help of every command, in 80 columns."""
    os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
    runner = CliRunner()
    blocks = [
        f"## {' '.join(('vqc', *names))}\n\n```text\n{runner.invoke(app, [*names, '--help']).output}```\n"
        for names in names_below(get_command(app))
    ]
    return "\n".join(["# Commands\n", *blocks])


def names_below(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, child in getattr(command, "commands", {}).items():
        yield from names_below(child, *names, name)
