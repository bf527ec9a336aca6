"""Printing where the bits of a file go: a table by kind of code, and of audio a bar for each second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vqc.cli.console import clock, print_table

if TYPE_CHECKING:
    from vqc.codec.inspect.explain import AudioBits, Explanation

MOST_BARS = 60
BAR_CELLS = 40
_BLOCKS = " ▏▎▍▌▋▊▉█"  # eighths of a cell


def explanation_as_dict(explanation: Explanation, heat_map: Path | None) -> dict[str, object]:
    """Return what is explained, for JSON."""
    fields: dict[str, object] = {
        "entropy": explanation.entropy,
        "codes": [
            {
                "kind": kind.label,
                "codes": kind.codes,
                "bits": round(kind.bits, 2),
                "bits_per_code": round(kind.bits_per_code, 4),
                "share": round(kind.bits / (8 * explanation.bytes), 4),
            }
            for kind in explanation.kinds
        ],
        "code_bits": round(explanation.code_bits, 2),
        "alpha_bits": 8 * explanation.alpha_bytes,
        "other_bits": round(explanation.other_bits, 2),
        "bits": 8 * explanation.bytes,
    }
    if explanation.audio is not None:
        return fields | {"bits_by_second": [round(bits, 2) for bits in explanation.audio.seconds.tolist()]}
    return fields | {"map": None if heat_map is None else str(heat_map)}


def print_explanation(explanation: Explanation, heat_map: Path | None, file: TextIO) -> None:
    """The same for people."""
    total, alpha, other = 8 * explanation.bytes, 8 * explanation.alpha_bytes, explanation.other_bits
    rows = [
        [kind.label, f"{kind.codes:,}", f"{kind.bits:,.0f}", f"{kind.bits_per_code:.3f}", share(kind.bits, total)]
        for kind in explanation.kinds
    ]
    if alpha:
        rows.append(["transparency", "", f"{alpha:,}", "", share(alpha, total)])
    rows.append(["header and checks", "", f"{other:,.0f}", "", share(other, total)])
    codes = sum(kind.codes for kind in explanation.kinds)
    rows.append(["file", f"{codes:,}", f"{total:,}", "", share(total, total)])
    print_table([f"entropy: {explanation.entropy}", "codes", "bits", "bits/code", "share"], rows, file=file)
    if explanation.audio is not None:
        print(file=file)
        print_bars(explanation.audio, file)
    elif heat_map is not None:
        print(f"\nwhere they go, from dark to bright: {heat_map}", file=file)


def print_bars(where: AudioBits, file: TextIO) -> None:
    """A line for each second, or for as many seconds as make the lines fit."""
    seconds, bars = where.bars(MOST_BARS)
    most = max(float(bars.max()), 1.0)
    rows = [
        [clock(index * seconds), bar(bits / most, file), f"{bits:,.0f}"] for index, bits in enumerate(bars.tolist())
    ]
    each = "second" if seconds == 1 else f"{seconds} s"
    print_table(["time", f"a bar for each {each}", "bits"], rows, left=2, file=file)


def bar(share: float, file: TextIO) -> str:
    """A bar of this share of the full length, in what the file's encoding has."""
    eighths = round(8 * BAR_CELLS * share)
    text = _BLOCKS[-1] * (eighths // 8) + _BLOCKS[eighths % 8].strip()
    try:
        text.encode(file.encoding or "ascii")
    except UnicodeEncodeError:
        return "#" * round(BAR_CELLS * share)
    return text


def share(bits: float, total: float) -> str:
    """23.1 %."""
    return f"{100 * bits / total:.1f} %"
