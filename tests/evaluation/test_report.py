"""The page says who wins, holds everything it shows, and works in a browser."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile
from browser import BROWSER, Page, browse
from PIL import Image
from tiny_evaluation import SAMPLE_RATE, tiny_clip, tiny_evaluation

from vqc.errors import OutputError
from vqc.evaluation.report import verdict
from vqc.evaluation.report.examples import flac
from vqc.evaluation.report.page import render, write_report
from vqc.evaluation.results import Curve, Estimate, Evaluation
from vqc.format.shapes import Media


@pytest.mark.parametrize("media", ["image", "audio"])
def test_nothing_on_the_page_is_elsewhere(media: Media) -> None:
    text = render(tiny_evaluation(media))
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.sources) >= 10
    assert all(source.startswith("data:") for source in page.sources)
    assert not re.search(r"https?://|@import|url\((?!data:)", text)
    assert "default-src 'none'" in text


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    wild = "<script>alert(1)</script>\" ' &"
    whole = tiny_evaluation()
    named = [dataclasses.replace(example, item=wild) for example in whole.examples]
    curves = [dataclasses.replace(curve, label=wild, source=wild, codec=wild) for curve in whole.curves]
    evil = dataclasses.replace(
        whole, model=wild, data=wild, notes=(wild,), examples=tuple(named), curves=tuple(curves), digest=wild
    )
    text = render(evil)
    Page(text)
    assert "alert(1)" in text
    assert "<script>alert" not in text


def test_the_headline_names_winners_and_losers() -> None:
    said = verdict.headline(tiny_evaluation())
    assert said == (
        "For the same PSNR, vqc tiny takes fewer bits than Bad <codec> (−38.5 %), more bits than Good codec (+21.3 %). "
        "PSNR 26.00 dB to 35.00 dB at 0.100 to 0.800 bpp."
    )
    even = dataclasses.replace(tiny_evaluation(), bd_rates={"psnr": {"good": 1.2, "bad": -0.4}})
    assert "takes about as many bits as Good codec (+1.2 %) and Bad <codec> (−0.4 %)." in verdict.headline(even)
    alone = dataclasses.replace(tiny_evaluation(), curves=tiny_evaluation().curves[:1], bd_rates={})
    assert verdict.headline(alone) == "PSNR 26.00 dB to 35.00 dB at 0.100 to 0.800 bpp."
    far = dataclasses.replace(tiny_evaluation(), bd_rates={}, curves=(alone.curves[0], *weak(whole=tiny_evaluation())))
    assert verdict.headline(far).startswith("Bad <codec> never reaches its PSNR. PSNR 26.00 dB")
    assert verdict.headline(dataclasses.replace(alone, curves=(dataclasses.replace(alone.curves[0], points=()),)))


def weak(whole: Evaluation) -> list[Curve]:
    """The second codec at its lowest rate alone, where it is worse than the model anywhere."""
    return [dataclasses.replace(whole.curves[2], points=whole.curves[2].points[:1])]


def test_a_codec_out_of_reach_is_called_so() -> None:
    whole = tiny_evaluation()
    own, other = whole.curves[0], weak(whole)[0]
    assert verdict.apart(own, other, "psnr") == verdict.apart(own, other, "mse") == "worse"
    assert verdict.apart(other, own, "psnr") == "better"
    assert verdict.apart(own, whole.curves[1], "psnr") == "overlapping"
    assert verdict.apart(own, own, "pesq_wb") == "overlapping"
    bars = verdict.bars(
        dataclasses.replace(whole, curves=(own, whole.curves[1], other), bd_rates={"psnr": {"good": 9}})
    )
    assert '<span class="win">never as good</span>' in bars


def test_bars_go_left_where_the_model_saves_and_are_as_long_as_the_factor() -> None:
    whole = dataclasses.replace(tiny_evaluation(), bd_rates={"psnr": {"good": 100.0, "bad": -50.0}})
    found = re.findall(r'<i class="(\w+)" style="(\w+):50%;width:([\d.]+)%"', verdict.bars(whole))
    assert found == [("loss", "left", "25.0"), ("win", "right", "25.0")]
    assert "no overlap" in verdict.bars(whole), "of the published curve nothing is known"
    assert verdict.bars(dataclasses.replace(whole, bd_rates={})) == ""


def test_scores_between_points_are_on_the_line_over_the_logarithm_of_the_rate() -> None:
    curve = tiny_evaluation().curves[0]
    assert verdict.score_at(curve, "psnr", 0.2) == pytest.approx(29)
    assert verdict.score_at(curve, "psnr", 0.1 * 2**0.5) == pytest.approx(27.5)
    assert verdict.score_at(curve, "psnr", 0.05) is None
    assert verdict.score_at(curve, "psnr", 1.0) is None
    assert verdict.score_at(curve, "pesq_wb", 0.2) is None


def test_the_map_has_plus_where_the_model_is_better() -> None:
    table = verdict.maps(tiny_evaluation())
    rows = {html.unescape(row[0]): row[1] for row in re.findall(r'"row">(.*?)</th>(.*?)</tr>', table)}
    assert rows["against Good codec"].count('class="loss"') == 4
    assert re.findall(r">([+−][\d.]+)<", rows["against Bad <codec>"]) != []
    assert 'class="loss"' not in rows["against Bad <codec>"]


def test_a_page_can_do_without_rivals_examples_history_and_notes() -> None:
    whole = tiny_evaluation(examples=False, history=False)
    bare = dataclasses.replace(whole, curves=whole.curves[:1], bd_rates={}, notes=(), qualities=whole.qualities[:1])
    text = render(bare)
    page = Page(text)
    assert "holds no history of its training" in text
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert "comparison" not in page.ids
    assert "examples" not in page.ids
    Page(render(dataclasses.replace(bare, curves=(dataclasses.replace(bare.curves[0], points=()),), qualities=())))


def test_lossless_codecs_do_not_stretch_the_charts() -> None:
    whole = tiny_evaluation()
    point = dataclasses.replace(whole.curves[0].points[0], rate=13.5, scores={"mse": Estimate(0.0, 0.0)})
    png = dataclasses.replace(whole.curves[1], codec="png", label="PNG", points=(point,))
    text = render(dataclasses.replace(whole, curves=(*whole.curves, png)))
    assert "PNG, q1: 13.5 bpp" not in text
    assert "<td>13.5</td>" in text


def test_small_pictures_are_exactly_what_was_restored() -> None:
    whole = tiny_evaluation()
    sources = [source for source in Page(render(whole)).sources if source.startswith("data:image")]
    first = Image.open(io.BytesIO(base64.b64decode(sources[1].partition(",")[2])))
    assert np.array_equal(np.asarray(first.convert("RGB")), whole.examples[0].versions[0].signal)


def test_sounds_are_exactly_what_was_restored_to_16_bits() -> None:
    clip = tiny_clip()
    data, rate = soundfile.read(io.BytesIO(base64.b64decode(flac(clip, SAMPLE_RATE).partition(",")[2])))
    assert rate == SAMPLE_RATE
    assert np.abs(data - clip).max() <= 2**-15


def test_a_page_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(tiny_evaluation(examples=False), path)
    with pytest.raises(OutputError, match="exists already"):
        write_report(tiny_evaluation(examples=False), path)
    write_report(tiny_evaluation(examples=False), path, overwrite=True)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_shows_the_page_light_and_dark(tmp_path: Path) -> None:
    text, means = render(tiny_evaluation()), []
    for scheme in (1, 0):  # light, dark
        shot = tmp_path / f"{scheme}.png"
        options = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1280,1600", f"--screenshot={shot}")
        browse(tmp_path, text, *options)
        pixels = np.asarray(Image.open(shot).convert("L"), np.float64)
        assert pixels.std(axis=1).max() > 20, "there is something to see"
        assert (pixels.std(axis=1) > 1).mean() > 0.4, "most of the page is not blank"
        means.append(pixels.mean())
    assert means[0] > 200
    assert means[1] < 90


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_all_versions_show_the_same_detail_and_one_size_at_a_time(tmp_path: Path) -> None:
    script = """
        const group = document.querySelector(".pictures"), say = [];
        const shown = () => [...group.querySelectorAll("img")].filter(image => image.offsetParent).length;
        say.push(shown());
        group.querySelectorAll("input")[1].click();
        say.push(shown());
        const press = key => group.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        const places = () => new Set([...group.querySelectorAll("img")].map(image => image.style.transform));
        press("Enter"); say.push(places().size, [...places()][0].includes("scale(4)"));
        const before = [...places()][0];
        press("ArrowRight"); say.push(places().size, [...places()][0] !== before);
        press("Escape"); say.push([...places()][0] === "");
        document.title = say.join();
    """
    found = browse(tmp_path, render(tiny_evaluation()), "--dump-dom", script=script)
    assert "<title>4,4,1,true,1,true,true</title>" in found


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_page_never_scrolls_sideways(tmp_path: Path) -> None:
    frames = ""
    for media in get_args(Media):
        (tmp_path / f"{media}.html").write_text(narrow(render(tiny_evaluation(media))), encoding="utf-8")
        frames += "".join(f'<iframe src="{media}.html" width="{width}" height="900"></iframe>' for width in (380, 1280))
    page = f"<!doctype html><title>widths</title>{frames}<body></body>"
    script = "addEventListener('message', event => { document.title += ' ' + event.data })"
    found = browse(tmp_path, page, "--dump-dom", "--virtual-time-budget=2000", script=script)
    told = re.findall(r"(\d+),(\d+)", re.search("<title>widths(.*)</title>", found)[1])  # type: ignore[index]
    outer = [int(width) for _, width in told]
    assert len(outer) == 4
    assert max(outer) <= 1280
    assert sorted(outer)[1] <= 380
    assert all(int(inner) <= int(width) for inner, width in told)


def narrow(text: str) -> str:
    """The page, telling the page around it how wide it is and how wide it would be."""
    script = "const all = document.documentElement; parent.postMessage([all.scrollWidth, innerWidth].join(), '*')"
    return text.replace("</body>", f"<script>{script}</script></body>")
