"""Folders of empty files, for tests that look at names alone."""

from __future__ import annotations

from pathlib import Path


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder
