"""Where the readers of training sets were before; they have moved to `cifar10` and `packs`."""

from __future__ import annotations

from pathlib import Path

from vqc.data.discovery import SUFFIXES
from vqc.errors import TrainingError


def audio_files(folder: Path) -> list[Path]:
    """Every audio file below a folder (a LibriSpeech tree has SPEAKER/CHAPTER/*.flac), sorted by path."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES["audio"] and p.is_file())
    if not paths:
        raise TrainingError(f"{folder} holds no audio; check the path")
    return paths
