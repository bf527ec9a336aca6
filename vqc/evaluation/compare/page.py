"""The page of `vqc compare`: pictures under a slider at 100 %, sounds with players, and a table of each file.

::

    Evaluation of one file ── examples, one for each size ─► versions ─► stage (image) or players (audio) ─► page
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vqc._version import __version__
from vqc.atomic import write_atomically
from vqc.evaluation.items import Item
from vqc.evaluation.report.examples import examples, picture, telling
from vqc.evaluation.report.markup import escape, section, size, table_of
from vqc.evaluation.report.page import POLICY
from vqc.evaluation.result_tables import Table, keys_of, label, number, score
from vqc.evaluation.results import Evaluation, Example, Version

SIDE = 2048  # pixels of a picture at most: of a larger one the centre is shown
QUALITY = 96  # of the WebP pictures in the page


def write_comparison(evaluations: Sequence[Evaluation], path: Path, *, overwrite: bool = False) -> None:
    """Write the page; OutputError when it cannot be written."""
    write_atomically(path, render(evaluations).encode(), overwrite=overwrite)


def render(evaluations: Sequence[Evaluation]) -> str:
    """The page of evaluations of one file each, with examples: HTML that asks nothing of the network."""
    names = ", ".join(evaluation.examples[0].item for evaluation in evaluations)
    body = "".join(_section(index, evaluation) for index, evaluation in enumerate(evaluations))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><meta name="generator" content="vqc {__version__}">'
        f"<title>{escape(names)}</title>"
        f"<style>{_part('report', 'page.css')}{_part('compare', 'compare.css')}</style></head>"
        f'<body><main><header><p class="over">vqc compare</p><h1>{escape(names)}</h1></header>{body}</main>'
        f"<footer>Made by vqc {__version__}. Nothing on this page is fetched from elsewhere.</footer>"
        f"<script>{_part('report', 'page.js')}{_part('compare', 'compare.js')}</script></body></html>\n"
    )


def _section(index: int, evaluation: Evaluation) -> str:
    first = evaluation.examples[0]
    shown = _stage(index, evaluation) if evaluation.media == "image" else "".join(examples(evaluation))
    notes = "".join(f"<li>{escape(note)}</li>" for note in evaluation.notes)
    table = table_of(table_of_versions(evaluation))
    return section(f"file{index}", first.item, shown, table, f'<ul class="notes">{notes}</ul>' * bool(notes))


def _stage(index: int, evaluation: Evaluation) -> str:
    """Two versions on top of each other, parted by a line that follows the pointer; all versions are in the page."""
    first = evaluation.examples[0]
    shots = [("Original", f"{size(first.bytes)}", first.original), *_shots(evaluation.examples)]
    images, options = [], []
    for place, (title, facts, pixels) in enumerate(shots):
        source, (height, width) = picture(pixels, SIDE, QUALITY)
        images.append(f'<img class="shot" src="{source}" alt="{escape(title)}" width="{width}" height="{height}">')
        options.append(f'<option value="{place}">{escape(f"{title}, {facts}")}</option>')
    listed = "".join(options)
    choices = "".join(
        f'<label>{side} <select class="{side.lower()}" aria-label="{side} of the line">{listed}</select></label>'
        for side in ("Left", "Right")
    )
    cut = max(first.original.shape[:2]) > SIDE
    said = f"Of this picture the middle {SIDE} pixels are shown. " * cut
    said += f"One pixel is one pixel of the screen. Pictures are kept in this page as WebP of quality {QUALITY}."
    return (
        f'<div class="stage" id="stage{index}"><div class="tools">{choices}'
        '<label>Line <input class="split" type="range" min="0" max="1000" value="500" aria-label="place of the line">'
        f'</label></div><div class="view" tabindex="0"><div class="canvas">{"".join(images)}<i></i></div></div>'
        f'<p class="said">{escape(said)}</p></div>'
    )


def _shots(group: Sequence[Example]) -> list[tuple[str, str, NDArray[Any]]]:
    """Title, facts and pixels of every version, those of one size together."""
    return [(version.label, _facts(version), version.signal) for example in group for version in example.versions]


def _facts(version: Version) -> str:
    return f"{size(version.bytes)} ({version.setting})"


def table_of_versions(evaluation: Evaluation, *, short: bool = False) -> Table:
    """Bytes, rate and scores of every version of the file; of a short table only the scores that say most."""
    keys = keys_of(evaluation.curves)
    keys = telling(keys) if short else keys
    first = evaluation.examples[0]
    item = Item(first.item, first.original, first.sample_rate, first.bytes)
    rows = [("Original", "", f"{first.bytes:,}", "", *("" for _ in keys))]
    for example in evaluation.examples:
        for version in example.versions:
            scores = [score(key, version.scores.get(key)) for key in keys]
            rate = number(8 * version.bytes / item.units)
            rows.append((version.label, version.setting, f"{version.bytes:,}", rate, *scores))
    headers = ("codec", "setting", "bytes", evaluation.rate_unit, *map(label, keys))
    return Table("Sizes and scores", headers, tuple(rows), left=2)


def _part(folder: str, name: str) -> str:
    return files(f"vqc.evaluation.{folder}").joinpath(name).read_text(encoding="utf-8")
