"""TextGrid and CTM files as other programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vqc.errors import OptionError
from vqc.evaluation.phonemes.alignment_files import read_alignments, read_textgrid
from vqc.evaluation.phonemes.phone_classes import Segment

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.5
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.2
            text = "AH0"
        intervals [2]:
            xmin = 0.2
            xmax = 0.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "phone events"
        xmin = 0
        xmax = 0.5
        points: size = 1
        points [1]:
            number = 0.3
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "say ""a"" 1 2"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.5
<exists>
1
"IntervalTier"
"MAU"
0
0.5
2
0
0.2
"AH0"
0.2
0.5
""
"""
SEGMENTS = [Segment(0.0, 0.2, "AH0"), Segment(0.2, 0.5, "")]


@pytest.mark.parametrize("text", [LONG, SHORT])
def test_both_forms_of_a_text_grid_are_read(text: str) -> None:
    assert read_textgrid(text) == SEGMENTS


def test_a_folder_is_read_by_the_names_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.TextGrid").write_bytes(LONG.encode("utf-16"))
    (tmp_path / "all.ctm").write_text(
        ";; made by hand\ntwo 1 0.00 0.20 AH0 0.99\ntwo 1 0.20 0.30 SIL\nthree.wav A 1 0.5 S\n"
    )
    found = read_alignments(tmp_path)
    assert found["one"] == SEGMENTS
    assert found["two"] == [Segment(0.0, 0.2, "AH0"), Segment(0.2, 0.5, "SIL")]
    assert found["three"] == [Segment(1.0, 1.5, "S")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ctm", "one 1 zero 0.2 AH", "line 1"),
        ("a.ctm", "one 1 0.2", "line 1"),
        ("a.TextGrid", "nothing", "no tier"),
        ("a.TextGrid", '"IntervalTier" "phones" 0 1 1 0 "AH" 1', "not of intervals"),
        ("a.txt", "", "no alignments"),
    ],
)
def test_what_is_no_alignment_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(OptionError, match=message):
        read_alignments(tmp_path)


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not a folder"):
        read_alignments(tmp_path / "nowhere")
