"""The pages tell the truth: what they link to and name is there, and what they copy is up to date.

To copy the docstrings that pages show once more: python tests/test_pages.py
"""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from vqc.models.kinds import KINDS

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "scripts/recipes/NOTES.md",
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOCSTRING_BLOCK = re.compile(r"<!-- docstring: (\S+) -->\n```text\n(.*?)```\n<!-- end -->", re.DOTALL)
PATH = re.compile(r"(?<![\w/.~-])((?:scripts|vqc|tests|examples|docs)/[\w/.-]*\w)(?![\w*])")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors that renderers of Markdown give to headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def docstring(path: str) -> str:
    return (ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or "") + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_pages_are_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        links = {
            (page.parent / link.partition("#")[0]).resolve() for page in new for link in LINK.findall(text_of(page))
        }
        new = {link for link in links if link.suffix == ".md"} - reached
    assert not set(PAGES) - reached


def test_the_readme_is_read_in_two_minutes() -> None:
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 150
    assert len(text.encode()) <= 8_000


def named_paths() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        if page.name not in ("NOTES.md", "CHANGELOG.md"):  # which tell of the past
            yield from ((page, path) for path in PATH.findall(LINK.sub("", text_of(page))) if "NAME" not in path)


def test_files_that_pages_name_are_there() -> None:
    named = set(named_paths())
    assert len(named) > 10
    assert not [(page.name, path) for page, path in named if not (ROOT / path).exists()]


def test_the_floors_are_those_of_the_code() -> None:
    rooms = runpy.run_path(str(ROOT / "tests/test_architecture.py"))["ROOMS"]
    drawn = re.findall(r"^   (\d)   (.*)$", text_of(ROOT / "docs/ARCHITECTURE.md"), re.MULTILINE)
    floor = {word: int(number) for number, names in drawn for word in names.split() if word in rooms}
    assert {path.parent.name for path in (ROOT / "vqc").glob("*/__init__.py")} <= set(floor)
    for room in (room for room in floor if floor[room]):
        assert all(floor.get(below, 0) < floor[room] for below in rooms[room]), room


def test_words_of_the_glossary_are_those_of_the_code() -> None:
    rows = text_of(ROOT / "docs/ARCHITECTURE.md").split("| then | now |", 1)[1].splitlines()[2:]
    named = {word for row in rows if row.startswith("|") for word in re.findall(r"`([\w]+)`", row.split("|")[2])}
    code = list((ROOT / "vqc").rglob("*.py"))
    words = {path.stem for path in code} | set().union(*(re.findall(r"\w+", text_of(path)) for path in code))
    assert len(named) > 40
    assert not named - words - {path.name for path in (ROOT / "vqc").rglob("*") if path.is_dir()}


def test_docstrings_on_pages_are_those_of_the_code() -> None:
    blocks = [block for page in PAGES for block in DOCSTRING_BLOCK.findall(text_of(page))]
    assert blocks
    for path, text in blocks:
        assert text == docstring(path), f"{path}: run python tests/test_pages.py"


def test_the_format_page_has_the_numbers_of_all_kinds() -> None:
    line = re.search(r"^- Kinds of model.*$", text_of(ROOT / "docs/format.md"), re.MULTILINE)
    assert line
    numbers = {name: int(number) for number, name in re.findall(r"(\d+) `([\w-]+)`", line[0])}
    assert numbers == {kind.name: kind.wire_id for kind in KINDS.values()}


def test_measured_tables_are_those_that_the_program_writes() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/pages.py"))
    found = [match for page in program["PAGES"] for match in program["BLOCK"].finditer(text_of(page))]
    assert sorted(match[2] for match in found) == sorted(program["BLOCKS"])
    assert all(match[3].strip() for match in found)


def points(*pairs: tuple[float, float]) -> list[dict[str, object]]:
    """A curve of (rate, PSNR)."""
    return [
        {"setting": f"q{i}", "rate": rate, "scores": {"psnr": {"mean": psnr}}}
        for i, (rate, psnr) in enumerate(pairs, 1)
    ]


def test_what_the_program_makes_of_measurements() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/pages.py"))
    ours, theirs = points((0.1, 27.0), (0.4, 31.0)), points((0.2, 28.0), (0.4, 30.0))
    assert program["gain"](ours, theirs, 0.2) == pytest.approx(29 - 28)  # 0.2 is half way between, in the logarithm
    assert program["gain"](ours, theirs, 0.1) is None
    assert program["table"](["a", "b"], [["x", "1"]]) == "| a | b |\n|---|--:|\n| x | 1 |\n"
    assert program["signed"](-0.25, 2) == "−0.25"
    static, coded = (
        {"curves": [{"points": points(*rates)}]} for rates in (((0.2, 1), (0.4, 2)), ((0.15, 1), (0.2, 2)))
    )
    assert program["saved"](static, coded) == pytest.approx([25, 50])


def test_of_avif_the_way_that_is_best_for_a_score_counts() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/pages.py"))
    curves = [
        {"codec": name, "label": name.upper(), "origin": "measured", "points": points((0.1, psnr), (2.0, 10 + psnr))}
        for name, psnr in (("vqc", 27), ("jpeg", 20), ("avif", 25), ("avif-psnr-444", 26.5))
    ]
    bits = {"psnr": {"jpeg": -70, "avif": -9, "avif-psnr-444": 3}, "ms_ssim": {"avif": 1, "avif-psnr-444": -8}}
    lines = program["against_table"]({"curves": curves, "bd_rates": bits}, (1.0,)).splitlines()
    assert lines[2] == "| JPEG | +7.0 | −70 % | – |"
    assert lines[-1] == "| AVIF, its best for each | +0.5 | +3 % | +1 % |"


def test_the_readmes_cells_are_of_the_default_quality_and_the_nearest_rates() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/pages.py"))

    def spoken(label: str, *rates: float) -> dict[str, object]:
        scores = {"pesq_wb": {"mean": 2.0}, "stoi": {"mean": 0.9}}
        made = [{"setting": f"q{i}", "rate": rate, "scores": scores} for i, rate in enumerate(rates, 1)]
        return {"label": label, "codec": label, "origin": "measured", "points": made}

    document = {"curves": [spoken("vqc", 1, 2, 3, 4, 5, 6), spoken("Opus", 6, 4.5, 8)]}
    cells = program["speech_summary"]({"speech": document})
    assert cells == "5.00 kbps, PESQ-WB 2.00, STOI 0.900 | Opus: 4.50 kbps, PESQ-WB 2.00, STOI 0.900"


def test_the_table_of_portability_has_a_line_for_each_way_to_multiply() -> None:
    program = runpy.run_path(str(ROOT / "scripts/reproduce/pages.py"))
    way = {"torch": "2", "instructions": "AVX2", "threads": 1, "device": "cpu", "streams": 4}
    exact = [way | {"products": products, "mismatches": 0} for products in ("int8", "float32")]
    text = program["portability"]({"portability": exact, "portability-float": [way | {"mismatches": 3}]})
    assert [line.split(" | ")[3:] for line in text.splitlines()[2:]] == [
        [products, "0 of 4", "3 of 4 |"] for products in ("int8", "float32")
    ]


if __name__ == "__main__":
    for one in PAGES:
        old = text_of(one)
        new = DOCSTRING_BLOCK.sub(
            lambda match: f"<!-- docstring: {match[1]} -->\n```text\n{docstring(match[1])}```\n<!-- end -->", old
        )
        if new != old:
            one.write_text(new, encoding="utf-8")
