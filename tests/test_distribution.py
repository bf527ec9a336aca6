"""On PyPI `vqc` is somebody else's package: no sentence, script or file of this project may send anybody there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vqc._distribution import DISTRIBUTION, install_command

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXT = {".py", ".md", ".toml", ".sh", ".txt", ".html", ".css", ".js", ".yml", ".yaml", ""}

# `pip install vqc`, 'vqc[eval]', "vqc>=1": the name as pip would read it, but not vqc-codec, vqc/, vqc.cli or ./vqc.
STRAY = re.compile(
    r"""pip3?\s+(?:install|download)\s+(?:-\S+\s+)*['"]?vqc(?![\w/.-])"""  # a command
    r"""|(?<![\w/.-])vqc\[[a-z][a-z,]*\]"""  # with an extra
    r"""|dist/vqc-"""  # a wheel
)


def files() -> Iterator[Path]:
    """Text files that are or will be part of the project."""
    skipped = {".git", "build", "dist", "runs", "demo", "__pycache__"}
    made = ("_cache", ".egg-info")
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part in skipped or part.startswith(".venv") or part.endswith(made) for part in parts)
        if path.is_file() and path.suffix in TEXT and not hidden and path != Path(__file__):
            yield path


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        ("pip install vqc", True),
        ("pip install 'vqc[eval]'", True),
        ("pip install --upgrade vqc==1", True),
        ('dev = ["vqc[eval,phonemes]"]', True),
        ("scripts/test-wheel dist/vqc-*.whl", True),
        ("pip install 'vqc-codec[eval]'", False),
        ("pip install ./vqc", False),
        ("dist/vqc_codec-*.whl", False),
        ("vqc compress photo.png", False),
        ("vqc[start:stop]", False),
    ],
)
def test_what_a_stray_name_is(text: str, stray: bool) -> None:
    assert bool(STRAY.search(text)) == stray


def test_no_file_sends_anybody_to_another_package() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if STRAY.search(line)
    ]
    assert found == []


def test_the_name_is_the_one_of_the_project() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert DISTRIBUTION != "vqc"
    assert set(PROJECT["scripts"]) == {"vqc"}, "the command keeps its name"


def test_sentences_name_extras_that_exist() -> None:
    """Every `install_command("…")` and `needs_extra("…", …)` in the package, and none put together by hand."""
    for path in sorted((ROOT / "vqc").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?:install_command|needs_extra)\([\"'](\w+)[\"']", text)
        assert set(named) <= set(PROJECT["optional-dependencies"]), path
        assert path.name == "_distribution.py" or DISTRIBUTION not in text, f"{path}: use install_command"
    assert install_command("eval") == "pip install 'vqc-codec[eval]'"


def test_scripts_are_of_the_wheel_that_is_built() -> None:
    """setuptools writes the name of the project with an underscore."""
    wheel = f"dist/{DISTRIBUTION.replace('-', '_')}-*.whl"
    for script in ("scripts/test", ".ci/run"):
        assert wheel in (ROOT / script).read_text(encoding="utf-8")
        subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)
