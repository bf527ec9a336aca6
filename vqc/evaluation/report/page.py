"""The page as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from vqc._version import __version__
from vqc.atomic import write_atomically
from vqc.evaluation.definitions import definitions
from vqc.evaluation.report import verdict
from vqc.evaluation.report.examples import QUALITY, examples
from vqc.evaluation.report.markup import escape, section, table_of
from vqc.evaluation.report.plots import code_charts, history_charts, rate_charts
from vqc.evaluation.result_tables import bd_table, code_table, curve_table, rate_table
from vqc.evaluation.results import Evaluation

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:"


def write_report(evaluation: Evaluation, path: Path, *, overwrite: bool = False) -> None:
    """Write the page; OutputError when it cannot be written."""
    write_atomically(path, render(evaluation).encode(), overwrite=overwrite)


def render(evaluation: Evaluation) -> str:
    """The whole page: HTML that asks nothing of the network, and says so to the browser."""
    title = f"vqc {evaluation.model} on {evaluation.data}"
    parts = [
        _top(evaluation),
        _comparison(evaluation),
        _charts(evaluation),
        _examples(evaluation),
        _rates(evaluation),
        _training(evaluation),
        _numbers(evaluation),
        _definitions(),
        _notes(evaluation),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><meta name="generator" content="vqc {__version__}">'
        f"<title>{escape(title)}</title><style>{_part('page.css')}</style></head>"
        f"<body><main>{''.join(parts)}</main><footer>Made by vqc {__version__}. Nothing on this page is fetched from "
        f"elsewhere.</footer><script>{_part('page.js')}</script></body></html>\n"
    )


def _top(evaluation: Evaluation) -> str:
    training = evaluation.info.get("training") or {}
    trained = f"trained on {training['data']}" if training.get("data") else ""
    facts = [f"model {evaluation.digest[:12]}", trained, f"{evaluation.dimensions:,} dimensions"]
    links = "".join(f'<a href="#{name}">{text}</a>' for name, text in _contents(evaluation))
    return (
        f'<header><p class="over">{escape(evaluation.data)}</p><h1>vqc {escape(evaluation.model)}</h1>'
        f'<p class="lead">{escape(verdict.headline(evaluation)).replace(" %", "&nbsp;%")}</p>'
        f'<p class="faint">{escape(" · ".join(filter(None, facts)))}</p><nav>{links}</nav></header>'
    )


def _contents(evaluation: Evaluation) -> list[tuple[str, str]]:
    found = [("charts", "Rate and quality"), ("examples", "Examples"), ("codes", "Bits and codes")]
    found += [("training", "Training"), ("numbers", "All numbers"), ("definitions", "Definitions"), ("notes", "Notes")]
    absent = {"examples"} if not evaluation.examples else set()
    return [(name, text) for name, text in found if name not in absent]


def _comparison(evaluation: Evaluation) -> str:
    body = verdict.bars(evaluation) + verdict.maps(evaluation)
    return section("comparison", "Where it wins and where it loses", body) if body else ""


def _charts(evaluation: Evaluation) -> str:
    text = "Each point is the mean over the files, with its 95 % interval; the model is the thick line."
    if any(curve.origin == "published" for curve in evaluation.curves):
        text += " Dashed lines are from published tables, everything else was measured in this run."
    return section("charts", "Rate and quality", _said(text), _grid(rate_charts(evaluation)))


def _examples(evaluation: Evaluation) -> str:
    if not evaluation.examples:
        return ""
    if evaluation.media == "image":
        text = (
            "Point at a detail and click: all versions show it, enlarged. With the keyboard: Tab to a picture, then "
            "Enter, the arrows, + and −, Escape. All versions that are shown together are of about the same size. "
            f"Pictures are kept in this page as WebP of quality {QUALITY}, small ones exactly."
        )
    else:
        text = (
            "When one version is started while another plays, it goes on from the same moment. "
            "Sounds are kept in this page without loss; brighter is louder, frequencies go up to half the sample rate."
        )
    return section("examples", "Examples", _said(text), *examples(evaluation))


def _rates(evaluation: Evaluation) -> str:
    tables = [table_of(table) for table in (rate_table(evaluation), code_table(evaluation)) if table.rows]
    drawn = code_charts(evaluation)
    text = "How often the codes occur, by rank: the flatter a line, the better its codebook is used."
    return section("codes", "Bits and codes", *tables, *([_said(text), _grid(drawn)] if drawn else []))


def _training(evaluation: Evaluation) -> str:
    drawn = history_charts(evaluation)
    if not drawn:
        return section("training", "Training", _said("The model file holds no history of its training."))
    training = evaluation.info.get("training") or {}
    length = [f"{training['steps']:,} steps" if "steps" in training else ""]
    length += [f"{training['minutes']:g} minutes" if "minutes" in training else ""]
    length += [f"from the weights of {training['start']}" if training.get("start") else ""]
    text = f"The run that this model comes from: {', '.join(filter(None, length)) or 'of unknown length'}."
    return section("training", "Training", _said(text), _grid(drawn))


def _numbers(evaluation: Evaluation) -> str:
    tables = [table_of(table) for table in (curve_table(evaluation), bd_table(evaluation)) if table.rows]
    sources = "".join(
        f"<li><b>{escape(curve.label)}</b>: {'published, ' if curve.origin == 'published' else ''}"
        f"{escape(curve.source)}</li>"
        for curve in evaluation.curves
    )
    return section("numbers", "All numbers", *tables, f'<ul class="sources">{sources}</ul>')


def _definitions() -> str:
    entries = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in definitions().items())
    return section("definitions", "What the numbers mean", f"<dl>{entries}</dl>")


def _notes(evaluation: Evaluation) -> str:
    if not evaluation.notes:
        return section("notes", "Notes", _said("Nothing was left out."))
    items = "".join(f"<li>{escape(note)}</li>" for note in evaluation.notes)
    return section("notes", "Notes", f"<ul>{items}</ul>")


def _said(text: str) -> str:
    return f'<p class="said">{escape(text)}</p>'


def _grid(figures: Sequence[str]) -> str:
    return f'<div class="grid-of">{"".join(figures)}</div>'


def _part(name: str) -> str:
    return files("vqc.evaluation.report").joinpath(name).read_text(encoding="utf-8")
