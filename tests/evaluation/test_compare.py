"""The page of `vqc compare`: it holds all that it shows, and its line parts any two versions in a browser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from browser import BROWSER, Page, browse
from PIL import Image
from tiny_evaluation import tiny_evaluation

from vqc.evaluation.compare.page import render, table_of_versions, write_comparison
from vqc.evaluation.results import Evaluation
from vqc.format.shapes import Media


def one_file(media: Media = "image") -> Evaluation:
    """The first file of the tiny evaluation, at its two sizes."""
    whole = tiny_evaluation(media)
    first = whole.examples[0].item
    return dataclasses.replace(whole, examples=tuple(e for e in whole.examples if e.item == first))


def test_nothing_on_the_page_is_elsewhere() -> None:
    text = render([one_file("image"), one_file("audio")])
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    versions = sum(1 + len(e.versions) for e in one_file().examples)
    assert len(page.sources) >= versions
    assert all(source.startswith("data:") for source in page.sources)
    assert not re.search(r"https?://|@import|url\((?!data:)", text)
    assert "default-src 'none'" in text


def test_every_version_is_in_the_table_and_to_be_chosen() -> None:
    evaluation = one_file()
    versions = [version for example in evaluation.examples for version in example.versions]
    table = table_of_versions(evaluation)
    assert len(table.rows) == 1 + len(versions)
    height, width = evaluation.examples[0].original.shape[:2]
    for row, version in zip(table.rows[1:], versions, strict=True):
        assert row[:3] == (version.label, version.setting, f"{version.bytes:,}")
        assert float(row[3]) == pytest.approx(8 * version.bytes / (height * width), rel=0.01)
    assert len(table_of_versions(evaluation, short=True).headers) <= len(table.headers)
    assert render([evaluation]).count("<option ") == 2 * (1 + len(versions))


def test_a_large_picture_is_cut_and_names_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    from vqc.evaluation.compare import page

    monkeypatch.setattr(page, "SIDE", 50)
    wild = "<script>alert(1)</script>"
    evaluation = one_file()
    named = [dataclasses.replace(example, item=wild) for example in evaluation.examples]
    text = render([dataclasses.replace(evaluation, examples=tuple(named), notes=(wild,))])
    Page(text)
    assert "<script>alert" not in text
    assert "the middle 50 pixels are shown" in text
    assert 'width="50" height="50"' in text


def test_the_page_is_written_whole_and_not_over_another(tmp_path: Path) -> None:
    write_comparison([one_file()], tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == render([one_file()])
    with pytest.raises(Exception, match="exists already"):
        write_comparison([one_file()], tmp_path / "a.html")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_line_parts_any_two_versions_and_sounds_have_players(tmp_path: Path) -> None:
    script = """
        const stage = document.querySelector(".stage"), say = [];
        const [left, right, split] = [".left", ".right", ".split"].map(name => stage.querySelector(name));
        const set = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
        const shown = name => [...stage.querySelectorAll("img")].findIndex(image => image.classList.contains(name));
        const clip = () => stage.querySelector(".is-right").style.clipPath;
        say.push(shown("is-left"), shown("is-right"), clip());
        set(left, 2); set(right, 3); set(split, 250);
        say.push(shown("is-left"), shown("is-right"), clip());
        stage.querySelector(".view").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        say.push(split.value, stage.querySelector(".canvas i").style.left);
        say.push(stage.querySelector(".is-left").getBoundingClientRect().width);
        document.title = say.join("|");
    """
    found = browse(tmp_path, render([one_file(), one_file("audio")]), "--dump-dom", script=script)
    title = re.search(r"<title>(.*?)</title>", found)
    assert title is not None
    before = "0|1|inset(0px 0px 0px 48px)"
    assert title[1] == f"{before}|2|3|inset(0px 0px 0px 24px)|270|25.92px|96"
    versions = sum(len(e.versions) for e in one_file("audio").examples)
    assert found.count("<audio controls") == 1 + versions
    assert found.count("Spectrogram of") == 1 + versions


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_both_sides_are_seen_at_their_own_size(tmp_path: Path) -> None:
    """A red and a blue version: of the picture on the screen the left half is red, the right half blue."""
    evaluation = one_file()
    red, blue = (np.full((64, 96, 3), colour, np.uint8) for colour in ([255, 0, 0], [0, 0, 255]))
    first, *rest = evaluation.examples
    versions = (dataclasses.replace(first.versions[0], signal=blue), *first.versions[1:])
    changed = (dataclasses.replace(first, original=red, versions=versions), *rest)
    shot = tmp_path / "shot.png"
    text = render([dataclasses.replace(evaluation, examples=changed)])
    browse(tmp_path, text, "--window-size=900,900", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"), np.int64)
    is_red = (pixels[..., 0] > 200) & (pixels[..., 2] < 60)
    is_blue = (pixels[..., 2] > 200) & (pixels[..., 0] < 60)
    is_blue &= is_red.any(axis=1, keepdims=True)  # controls are blue as well
    for side in (is_red, is_blue):
        assert side.sum() == pytest.approx(64 * 48, rel=0.08)
    assert np.nonzero(is_red)[1].max() < np.nonzero(is_blue)[1].min()
