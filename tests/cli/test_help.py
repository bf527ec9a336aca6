"""`vqc help`: what it says of formats, qualities and files is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vqc.cli.help_topics import QUALITIES, TOPICS
from vqc.data.formats import FORMATS
from vqc.models.files.zoo import find_by_name

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PAGE = Path(__file__).parent.parent.parent / "docs/usage.md"


def test_the_help_of_commands_is_their_own(run: Run) -> None:
    assert run("help", "compress").out == run("compress", "--help").out
    assert run("help", "models", "show").out == run("models", "show", "--help").out
    own = run("help").out
    assert own.startswith(run("--help").out.rstrip("\n"))
    assert all(f"vqc help {topic}" in own for topic in TOPICS)


def test_every_format_is_listed_with_its_suffixes(run: Run) -> None:
    out = run("help", "formats").out
    for entry in FORMATS:
        (line,) = [line for line in out.splitlines() if f" {entry.suffixes[0]} " in line]
        assert all(suffix in line for suffix in entry.suffixes)
        assert ("written" in line) == entry.written
        assert (f"with the extra {entry.extra}" in line) == (not entry.at_hand)


def test_qualities_are_described_as_on_the_page(run: Run) -> None:
    out = " ".join(run("help", "qualities").out.split())
    rows = dict(re.findall(r"^\| (\d) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    for number, (photo, speech) in enumerate(QUALITIES, 1):
        assert rows[str(number)] == f"{photo} | {speech}"
        assert f"{number} {photo}" in out
        assert f"{number} {speech}" in out
    assert all(find_by_name(name).qualities == len(QUALITIES) for name in ("photo", "speech"))


def test_files_that_it_names_are_there(run: Run) -> None:
    out = run("help", "files").out
    named = re.findall(r"\S*vqc\.(?:magic|xml)", out)
    assert len(named) == 2
    assert all(Path(name).is_file() for name in named)


@pytest.mark.parametrize(
    ("words", "hint"), [("format", ", did you mean 'formats'?"), ("models lst", ", did you mean 'list'?"), ("zzz", "")]
)
def test_unknown_topics(run: Run, words: str, hint: str) -> None:
    result = run("help", *words.split())
    assert (result.code, result.err) == (2, f"vqc: help {words}: there is no such topic{hint}\n")


def test_models_list_is_models(run: Run, desk: Path) -> None:
    assert run("models", "list").out == run("models").out
    assert run("models", "list", "--json").out == run("models", "--json").out


def test_options_of_no_group_come_last_and_one_name_may_stand_in_two_groups(run: Run) -> None:
    export, decompress = run("archive", "export", "--help").out, run("decompress", "--help").out
    assert "Voice:" not in export, "--to is of voices elsewhere"
    assert re.search(r"Output:\n  --to FORM", export)
    assert "Drawing:" not in run("eval", "convert", "--help").out, "-n is of samples elsewhere"
    assert [*re.findall(r"^(\w+):\n", decompress, re.MULTILINE)][-1] == "Options"
