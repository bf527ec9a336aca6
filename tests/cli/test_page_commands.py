"""What the pages show can be typed: commands in their order, and options that exist."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import typer.main
from PIL import Image

import vqc
from vqc.cli.app import app
from vqc.models import kinds

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"""(?<![\w./\[-])vqc (?=[a-z-]).*?(?= \||['")]|$)""")  # up to a pipe or a quotation mark
ELSEWHERE = ("vqc eval", "vqc train", "vqc models add")  # slow, or with files of one's own; tested by themselves


def code_of(page: Path) -> Iterator[str]:
    """Lines of code: those of blocks, and spans in the text."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:console|sh)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def commands_in_order(page: str, heading: str) -> list[list[str]]:
    """The commands of the first block below a heading, but for pipes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    block = text.split(f"## {heading}\n", 1)[1].split("```console\n", 1)[1].split("```", 1)[0]
    lines = [line.removeprefix("$ ") for line in block.splitlines() if " | " not in line.split("#")[0]]
    return [shlex.split(line, comments=True) for line in lines if not line.startswith(ELSEWHERE)]


def cheaper(command: list[str]) -> list[str]:
    """The command without what untrained models lack, and without processes that would not know of them."""
    text = re.sub(r" (-q \d|--target-(?:size|psnr) \S+|--effort 9|--sharp|--jobs 2)(?= |$)", "", shlex.join(command))
    return shlex.split(text)


@pytest.fixture
def tiny_defaults(monkeypatch: pytest.MonkeyPatch, small_models: Path) -> None:
    monkeypatch.setattr(kinds, "default_model", {"image": "tiny-image", "audio": "tiny-audio"}.__getitem__)


@pytest.mark.usefixtures("tiny_defaults")
@pytest.mark.parametrize(("page", "heading", "least"), [("README.md", "Use", 9), ("docs/usage.md", "Commands", 14)])
def test_commands_work_in_their_order(page: str, heading: str, least: int, run: Run, desk: Path) -> None:
    Path("clip.wav").rename("talk.wav")
    Path("holiday").mkdir()
    Path("holiday/photo.png").write_bytes(Path("photo.png").read_bytes())
    soundfile.write("holiday/talk.wav", 0.1 * np.sin(np.arange(4000)), 16_000)
    original = Path("photo.png").read_bytes()
    typed = [cheaper(command) for command in commands_in_order(page, heading)]
    assert len(typed) >= least
    for command in typed:
        result = run(*command[1:])
        said = re.sub(r"vqc: .*(skipped|audio file restored|larger than).*\n", "", result.err)
        assert (result.code, said) == (0, ""), command
    assert Path("photo.png").read_bytes() == original
    with Image.open("photo.restored.png") as image:
        assert image.size == (45, 30)
    assert Path("small/talk.vqc").exists()


@pytest.mark.usefixtures("tiny_defaults")
@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_python_works(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    pixels, samples = np.zeros((30, 45, 3), np.uint8), np.zeros(4000, np.float32)
    Path("photos").mkdir()
    Image.fromarray(pixels).save("photos/a.png")
    Path("photo.vqc").write_bytes(vqc.compress(pixels, lossless=False))
    given: dict[str, Any] = {"pixels": pixels, "samples": samples, "batch": pixels[None]}
    given["array"] = vqc.encode(pixels).array
    for block in blocks:
        cheap = re.sub(r"quality=\d", "quality=1", block).replace('qualities="all"', "qualities=[1]")
        exec(cheap.replace('"photo"', '"tiny-image"'), given)
        if "restored.png" in block:
            assert given["image"].array.shape == (30, 45, 3)
            assert Path("restored.png").exists()


def test_python_of_training_asks_for_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    for name in ("train", "compress_file"):
        signature = inspect.signature(getattr(vqc, name))
        monkeypatch.setattr(vqc, name, lambda *given, _of=signature, **named: asked.append(_of.bind(*given, **named)))
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    exec(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0], {})
    assert asked[0].arguments["options"].minutes == 120
    assert asked[1].arguments["model"] == "mine"


def unknown(words: list[str], command: Any) -> list[str]:
    """What a command line has that the program does not know: commands and options."""
    options = {"--help", "-h", "--install-completion", "--show-completion"}
    rest = iter(words[1:])
    for word in rest:
        if word.startswith("-") or word.isupper() or word == "…":  # COMMAND, N
            options |= {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            if word.startswith("-") and word != "-" and word.split("=")[0] not in options:
                return [word]
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
        elif hasattr(command, "commands") and not command.invoke_without_command:
            return [word]
    return []


def test_commands_and_options_that_pages_show_exist() -> None:
    lines = [line for page in PAGES for line in code_of(page)]
    found = [match[0] for line in lines for match in TYPED.finditer(line)]
    assert len(found) > 40
    program = typer.main.get_command(app)
    wrong = {line: names for line in found if (names := unknown(shlex.split(line, comments=True), program))}
    assert not wrong


def test_options_without_a_command_exist_somewhere() -> None:
    """Such as `--jobs N` in the text."""

    def all_options(command: Any) -> set[str]:
        own = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        return own.union(*(all_options(child) for child in getattr(command, "commands", {}).values()))

    known = all_options(typer.main.get_command(app)) | {"--help", "--install-completion"}
    of_scripts = {"--float", "--quick", "--check", "--python", "--quality"}
    named = {line.split()[0] for page in PAGES for line in code_of(page) if line.startswith("-") and line != "-"}
    assert len(named) > 15
    assert named <= known | of_scripts
