"""Curves of codecs that cannot be run here, from tables.

A table is for exactly the files that it was measured on: `kodak_rd.csv` for the 24 Kodak images, `speech.csv` for the
thirty utterances in `test_other_30.txt`. The column `origin` says "published" of figures that others have given out
and "measured" of those that were measured for this project: whole files with their container, PSNR and MS-SSIM in RGB,
recordings at their best alignment.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from vqc.data.formats import MEDIA
from vqc.evaluation.results import Curve, Estimate, Point
from vqc.format.shapes import Media

_FOLDER = Path(__file__).parent
_KODAK = frozenset(f"kodim{number:02}" for number in range(1, 25))
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "jpeg": "JPEG",
        "webp": "WebP",
        "avif": "AVIF",
        "jxl": "JPEG XL",
        "bpg-444": "BPG 4:4:4",
        "av1": "AV1",
        "vtm": "VTM (H.266)",
        "bmshj2018-factorized": "Ballé 2018, factorized",
        "bmshj2018-hyperprior": "Ballé 2018, hyperprior",
        "mbt2018": "Minnen 2018",
        "cheng2020-anchor": "Cheng 2020",
        "elic2022": "ELIC 2022",
        "opus": "Opus",
        "codec2": "Codec 2",
        "lyra-v2": "Lyra v2",
    }
)
_METRICS = {
    "psnr_rgb_db": "psnr",
    "ms_ssim": "ms_ssim",
    "pesq_wb": "pesq_wb",
    "stoi": "stoi",
    "estoi": "estoi",
    "dnsmos": "dnsmos",
}


def reference_curves(media: Media, files: Sequence[str], besides: Collection[str] = ()) -> list[Curve]:
    """The curves of the table for these files; none when there is no table for them.

    Args:
        files: names of all items; folders and suffixes do not matter.
        besides: codecs that have a curve already.
    """
    rows = list(_rows(media, {PurePosixPath(name).stem for name in files}))
    codecs = dict.fromkeys(row["codec"] for row in rows)
    return [
        _curve(media, codec, [row for row in rows if row["codec"] == codec]) for codec in codecs if codec not in besides
    ]


def utterances() -> frozenset[str]:
    """The utterances of LibriSpeech test-other that the speech table was measured on."""
    lines = (_FOLDER / "test_other_30.txt").read_text(encoding="utf-8").split()
    return frozenset(PurePosixPath(line).stem for line in lines)


def _rows(media: Media, stems: set[str]) -> Iterator[dict[str, str]]:
    if media == "image" and stems == _KODAK:
        name = "kodak_rd.csv"
    elif media == "audio" and stems == utterances():
        name = "speech.csv"
    else:
        return
    with (_FOLDER / name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _curve(media: Media, codec: str, rows: Sequence[Mapping[str, str]]) -> Curve:
    points = [_point(row, float(row[MEDIA[media].unit])) for row in rows]
    return Curve(
        codec=codec,
        label=_LABELS[codec],
        origin="published",
        source=rows[0]["origin"],
        points=tuple(sorted(points, key=lambda point: point.rate)),
    )


def _point(row: Mapping[str, str], rate: float) -> Point:
    return Point(
        setting=row.get("setting", ""),
        rate=rate,
        files=int(row["files"]),
        scores={_METRICS[key]: Estimate(float(row[key]), 0.0) for key in _METRICS if row.get(key)},
    )
