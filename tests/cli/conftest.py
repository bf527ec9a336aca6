"""Running the command line inside the test, and small media files to run it on."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
import typer
from PIL import Image

from vqc.cli import progress
from vqc.cli.app import main


class Result(NamedTuple):
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str
    raw: bytes  # standard output as it is


Run = Callable[..., Result]
get_command = cache(typer.main.get_command)  # so that commands are put together once for all tests


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command tells after a second is not told, however slow the machine."""
    monkeypatch.setattr(progress, "DELAY_SECONDS", 1e6)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """`run("compress", "a.png", ...)` runs the command in this process."""

    def run_command(*arguments: str | Path, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(typer.main, "get_command", get_command)
        monkeypatch.setattr(sys, "argv", ["vqc", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main()
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        code = exit_info.value.code
        return Result(code if isinstance(code, int) else 0, out.decode(errors="replace"), err.decode(), out)

    return run_command


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_models: Path) -> Path:
    """The current folder: `photo.png` (45 x 30), `clip.wav` (0.5 s, 11025 Hz, stereo) and `broken.png`."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    y, x = np.mgrid[:30, :45]
    Image.fromarray(np.stack([x * 5, y * 8, x + y], axis=-1).astype(np.uint8)).save("photo.png")
    seconds = np.arange(5512) / 11025
    soundfile.write("clip.wav", np.stack([np.sin(seconds * 2000), np.cos(seconds * 3000)], 1) / 3, 11025)
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder
