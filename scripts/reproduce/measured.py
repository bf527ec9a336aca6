"""What the scripts here have in common that measure photos one by one: scores that are kept, and the documents of them.

`pages.py` reads the documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vqc.atomic import write_atomically
from vqc.evaluation.comparison import bd_rates
from vqc.evaluation.items import Item
from vqc.evaluation.result_tables import curve_as_json
from vqc.evaluation.results import Curve, FileScore
from vqc.metrics.bjontegaard import bd_rate
from vqc.metrics.scores import score

OWN = "vqc"


def kept(path: Path, make: Callable[[], Sequence[FileScore]]) -> list[FileScore]:
    """The scores of a file, which is written where it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([asdict(one) for one in make()], indent=1).encode())
    return [FileScore(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def scored(item: Item, setting: str, data: bytes, restored: NDArray[Any], metrics: Sequence[str]) -> FileScore:
    """The scores of one of our files and what it restores to."""
    scores, rate = score(item.signal, restored, None, metrics), 8 * len(data) / item.units
    return FileScore(item=item.name, codec=OWN, setting=setting, bytes=len(data), rate=rate, scores=scores)


def photo_rate(found: Sequence[FileScore], codec: str, metric: str) -> float | None:
    """The Bjøntegaard rate of ours against another codec, among the scores of one photo."""
    curves = []
    for name in (codec, OWN):
        own = [one for one in found if one.codec == name]
        curves += [[one.rate for one in own], [one.scores[metric] for one in own]]
    return bd_rate(*curves)


def write_document(path: Path, curves: Sequence[Curve], notes: Sequence[str]) -> None:
    """Write the curves, the first of them the model's, as `vqc eval --json` does."""
    found: dict[str, Any] = {"model": "photo", "media": "image", "rate_unit": "bpp", "notes": list(notes)}
    found["curves"] = [curve_as_json(curve) for curve in curves]
    found["bd_rates"] = bd_rates(curves)
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
