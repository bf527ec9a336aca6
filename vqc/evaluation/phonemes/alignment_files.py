"""Alignments that somebody else made: TextGrid files of Praat and the Montreal Forced Aligner, or NIST CTM files.

A CTM line is ``recording channel start duration phone``, in seconds, with more columns ignored; one file may be of many
recordings. A TextGrid, in its long or its short form, is of the recording with its name; its tier of intervals with
"phone" in its name counts, else its last one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from vqc.data.walk import files_below
from vqc.errors import OptionError
from vqc.evaluation.phonemes.phone_classes import Segment

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.+-])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]:])')


def read_alignments(folder: Path) -> Mapping[str, list[Segment]]:
    """All alignments in a folder, by the names of their recordings without suffix.

    OptionError: there are none, or one cannot be read. MediaError: a folder may not be read.
    """
    if not folder.is_dir():
        raise OptionError(f"{folder} is not a folder; give one with TextGrid or CTM files")
    found: dict[str, list[Segment]] = {}
    for path in sorted(files_below(folder)):
        suffix = path.suffix.lower()
        if suffix not in (".textgrid", ".ctm"):
            continue
        try:
            text = _decoded(path.read_bytes())
            alignments = read_ctm(text) if suffix == ".ctm" else {path.stem: read_textgrid(text)}
        except (OSError, ValueError) as error:
            raise OptionError(f"{path} cannot be read as an alignment: {error}") from None
        for name, segments in alignments.items():
            found.setdefault(name, []).extend(segments)
    if not found:
        raise OptionError(f"{folder} holds no alignments; they end in .TextGrid or .ctm")
    return found


def read_ctm(text: str) -> dict[str, list[Segment]]:
    """Segments by recording; ValueError names the line that is none."""
    found: dict[str, list[Segment]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(";;"):
            continue
        try:
            name, _, start, length, phone = line.split()[:5]
            first = float(start)
            found.setdefault(Path(name).stem, []).append(Segment(first, first + float(length), phone))
        except ValueError:
            raise ValueError(f"line {number} is not: recording channel start duration phone") from None
    return found


def read_textgrid(text: str) -> list[Segment]:
    """The segments of the tier of phones; ValueError when there is none.

    The long form is the short one with names before the values: strings and numbers alone are read of either.
    """
    tokens = [_value(match) for match in _TOKEN.finditer(text)]
    tiers = [i for i, token in enumerate(tokens) if token in ("IntervalTier", "TextTier")]
    chosen: list[Segment] = []
    for first, last in pairwise([*tiers, len(tokens)]):
        if tokens[first] == "TextTier" or last - first < 5:
            continue
        name, rest = str(tokens[first + 1]), tokens[first + 5 : last]
        triples = [rest[i : i + 3] for i in range(0, len(rest) - 2, 3)]
        if not all(isinstance(a, float) and isinstance(b, float) and isinstance(c, str) for a, b, c in triples):
            raise ValueError(f"the tier {name!r} is not of intervals with texts")
        chosen = [Segment(float(a), float(b), str(c)) for a, b, c in triples]
        if "phone" in name.lower():
            return chosen
    if not chosen:
        raise ValueError("it has no tier of intervals")
    return chosen


def _value(match: re.Match[str]) -> str | float:
    quoted = match.group(1)
    return quoted.replace('""', '"') if quoted is not None else float(match.group(2))


def _decoded(data: bytes) -> str:
    """Praat writes UTF-16 where there is a letter beyond ASCII."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")
