"""What the README shows can be typed in its order: nothing stands in the way of the next command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

from vqc.models import kinds

if TYPE_CHECKING:
    from tests.cli.conftest import Run

README = Path(__file__).parent.parent.parent / "README.md"
ELSEWHERE = ("vqc eval", "vqc train", "vqc models add")  # slow, or with files of one's own; tested by themselves


def commands() -> list[list[str]]:
    """The commands below "Use", but for pipes."""
    block = README.read_text(encoding="utf-8").split("## Use\n", 1)[1].split("```console\n", 1)[1].split("```", 1)[0]
    lines = [line.removeprefix("$ ") for line in block.splitlines() if " | " not in line.split("#")[0]]
    return [shlex.split(line, comments=True) for line in lines if not line.startswith(ELSEWHERE)]


def cheaper(command: list[str]) -> list[str]:
    """The command without what untrained models lack, and without processes that would not know of them."""
    text = re.sub(r" (-q 8|--target-size \S+|--effort 5|--sharp|--jobs 2)(?= |$)", "", shlex.join(command))
    return shlex.split(text)


def test_the_commands_of_the_readme_work_in_their_order(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "default_model", {"image": "tiny-image", "audio": "tiny-audio"}.__getitem__)
    Path("clip.wav").rename("talk.wav")
    Path("holiday").mkdir()
    Path("holiday/photo.png").write_bytes(Path("photo.png").read_bytes())
    soundfile.write("holiday/talk.wav", 0.1 * np.sin(np.arange(4000)), 16_000)
    original = Path("photo.png").read_bytes()
    typed = [cheaper(command) for command in commands()]
    assert len(typed) >= 12
    for command in typed:
        result = run(*command[1:])
        said = re.sub(r"vqc: .*(skipped|audio file restored|larger than).*\n", "", result.err)
        assert (result.code, said) == (0, ""), command
    assert Path("photo.png").read_bytes() == original
    with Image.open("photo.restored.png") as image:
        assert image.size == (45, 30)
    assert Path("restored/photo.jpg").exists()
    assert Path("restored/talk.wav").exists()
