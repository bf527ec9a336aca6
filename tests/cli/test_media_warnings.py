"""What the library warns of is a line on stderr, and in --json; with --quiet there is no such line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run

CUT_SHORT = "clip.wav: is cut short: of 22,048 bytes of samples 15,000 are there"


def test_a_wav_cut_short_is_compressed_with_a_line_about_it(run: Run, desk: Path) -> None:
    clip = Path("clip.wav").read_bytes()
    Path("clip.wav").write_bytes(clip[: 44 + 15_000])
    result = run("compress", "clip.wav", "-m", "tiny-audio")
    assert (result.code, result.err) == (0, f"vqc: {CUT_SHORT}\n")
    result = run("compress", "clip.wav", "-m", "tiny-audio", "-f", "--quiet")
    assert (result.code, result.err) == (0, "")
    result = run("compress", "clip.wav", "-m", "tiny-audio", "-f", "--stats", "--json")
    assert json.loads(result.out)[0]["warnings"] == [CUT_SHORT]
    result = run("compress", "-", "-m", "tiny-audio", "-o", "out.vqc", stdin=clip[: 44 + 15_000])
    assert result.err.startswith(f"vqc: {CUT_SHORT.replace('clip.wav', 'standard input')}\n")
