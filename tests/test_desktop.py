"""What systems know `.vqc` files by, and what goes into a container image."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import vqc
import vqc.pillow
from vqc.format.archive import MAGIC

ROOT = Path(__file__).parent.parent
DESKTOP = ROOT / "vqc/cli/desktop"


@pytest.fixture
def files(small_models: Path, tmp_path: Path) -> list[Path]:
    """An image and a recording."""
    made = [tmp_path / "image", tmp_path / "audio"]
    made[0].write_bytes(vqc.compress(np.zeros((9, 9, 3), np.uint8), model="tiny-image"))
    made[1].write_bytes(vqc.compress(np.zeros(99, np.float32), sample_rate=8_000, model="tiny-audio"))
    return made


@pytest.mark.skipif(shutil.which("file") is None, reason="no file(1)")
def test_file_tells_images_from_audio(files: list[Path]) -> None:
    def told(*options: str) -> list[str]:
        command = ["file", "--brief", "--magic-file", str(DESKTOP / "vqc.magic"), *options, *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert told() == [f"vqc compressed {media}, format 1, quality 1" for media in ("image", "audio")]
    assert told("--mime-type") == ["image/x-vqc", "audio/x-vqc"]
    files[:] = [ROOT / "tests/golden/image-prior.vqca"]
    assert told() == ["vqc archive, format 1, images, quality 1"]
    assert told("--mime-type") == ["application/x-vqca"]


def test_the_mime_description_matches_the_files(files: list[Path]) -> None:
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    root = ElementTree.parse(DESKTOP / "vqc.xml").getroot()
    found = {}
    for kind in root.iter(f"{space}mime-type"):
        globs = [glob.get("pattern") for glob in kind.iter(f"{space}glob")]
        if kind.get("type") == "application/x-vqca":
            (match,) = kind.iter(f"{space}match")
            assert (match.get("value"), globs) == (MAGIC.decode(), ["*.vqca"])
            continue
        outer, inner = kind.iter(f"{space}match")
        for path in files:
            data = path.read_bytes()
            begins = data.startswith((outer.get("value") or "").encode())
            value = data[int(inner.get("offset") or "")] & int(inner.get("mask") or "")
            if begins and value == int(inner.get("value") or ""):
                found[path.name] = kind.get("type")
        assert globs == [f"*{vqc.pillow.SUFFIX}"]
    assert found == {"image": vqc.pillow.MIME, "audio": "audio/x-vqc"}


def test_the_container_image_gets_what_the_package_is_made_of() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert {"pyproject.toml", "vqc"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= set(copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    weights = [path.relative_to(ROOT) for path in (ROOT / "vqc/weights").glob("*.safetensors")]
    assert weights
    assert not any(path.match(pattern) for path in weights for pattern in ignored)
