"""Parts of recordings and damaged files on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from vqc.cli.options import seconds_of
from vqc.errors import OptionError
from vqc.format import chunking


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("1:02:03.5", 3723.5), ("0:00:05", 5), (".5", 0.5), ("7.", 7), ("100:00:00", 360_000)],
)
def test_times_are_read_as_ffmpeg_reads_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:60", "1:2:3:4", "-5", "1:75:00", "1:", ":30", "inf", "nan", "1e3"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="is no time"):
        seconds_of(text)


def test_a_part_and_what_is_whole(run: Callable, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 256 // hop)
    assert run("compress", "clip.wav", "-m", "tiny-audio").code == 0
    assert run("decompress", "clip.vqc", "-o", "all.wav").code == 0
    assert run("decompress", "clip.vqc", "-o", "part.wav", "--start", "0:00.1", "--duration", ".2").code == 0
    whole, part = (soundfile.read(f"{name}.wav")[0] for name in ("all", "part"))
    assert (part == whole[1102 : 1102 + 2205]).all()
    assert run("decompress", "clip.vqc", "-o", "x.wav", "--start", "9").code == 2
    assert run("decompress", "clip.vqc", "-o", "x.wav", "--start", "soon").code == 2

    data = bytearray(Path("clip.vqc").read_bytes())
    data[-6] ^= 1  # in the last chunk
    Path("clip.vqc").write_bytes(data)
    refused = run("decompress", "clip.vqc", "-o", "x.wav")
    assert refused.code == 1
    saved = run("decompress", "clip.vqc", "-o", "x.wav", "--salvage")
    assert saved.code == 1
    assert "clip.vqc: is damaged; what was not restored: 0:00." in saved.err
    assert len(soundfile.read("x.wav")[0]) == len(whole)
