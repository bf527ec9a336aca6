"""What the scripts here have in common that measure photos one by one: scores that are kept, and the documents of them.

`pages.py` reads the documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqc.atomic import write_atomically
from vqc.evaluation.comparison import bd_rates
from vqc.evaluation.result_tables import curve_as_json
from vqc.evaluation.results import Curve, FileScore


def kept(path: Path, make: Callable[[], Sequence[FileScore]]) -> list[FileScore]:
    """The scores of a file, which is written where it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([asdict(one) for one in make()], indent=1).encode())
    return [FileScore(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def write_document(path: Path, curves: Sequence[Curve], notes: Sequence[str]) -> None:
    """Write the curves, the first of them the model's, as `vqc eval --json` does."""
    found: dict[str, Any] = {"model": "photo", "media": "image", "rate_unit": "bpp", "notes": list(notes)}
    found["curves"] = [curve_as_json(curve) for curve in curves]
    found["bd_rates"] = bd_rates(curves)
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
