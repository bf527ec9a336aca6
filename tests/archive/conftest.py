"""Archives of golden models: small, and of every mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from golden.cases import FOLDER
from PIL import Image

from vqc.archive.create import ArchiveOptions, Chunk, Source, archive_files, label_of
from vqc.models.files import zoo

Make = Callable[..., list[Chunk]]


@pytest.fixture(autouse=True)
def _golden_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", FOLDER)
    monkeypatch.setenv("VQC_BFLOAT16", "0")  # archives are made so; files beside them are then the same
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def save_pictures(folder: Path, names: list[str], size: tuple[int, int] = (12, 10), seed: int = 0) -> list[Source]:
    """Pictures of noise, one for each name."""
    rng, sources = np.random.default_rng(seed), []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        sources.append(Source(path, name, label_of(name)))
    return sources


def archive(target: Path, sources: list[Source], model: str = "image", **options: object) -> list[Chunk]:
    """Put files into an archive with a golden model; return what became of them."""
    how = {name: options.pop(name) for name in ("append", "overwrite", "workers") if name in options}
    chunks: list[Chunk] = []
    given = ArchiveOptions(model=str(FOLDER / f"{model}.safetensors"), **options)
    archive_files(target, sources, given, done=chunks.append, **how)
    return chunks
