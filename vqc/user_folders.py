"""Folders of the user that no command was told of: models, and what is kept so as not to be made again.

Each system has its own places, which platformdirs knows. The variables of the XDG standard are heard on every system,
for caches that belong on another disk.
"""

from __future__ import annotations

import os
from pathlib import Path

NAME = "vqc"  # also on systems where folders are called after the author


def user_models() -> Path:
    """The user's own models: ``$XDG_DATA_HOME/vqc/models``.

    Without the variable ``~/.local/share/vqc/models`` on Linux, ``~/Library/Application Support/vqc/models`` on macOS,
    ``%LOCALAPPDATA%\\vqc\\models`` on Windows.
    """
    from platformdirs import user_data_path

    return (_said("XDG_DATA_HOME") or user_data_path(NAME, appauthor=False)) / "models"


def user_cache() -> Path:
    """Decoded data, data sets and codes, which may be removed at any time: ``$XDG_CACHE_HOME/vqc``.

    Without the variable ``~/.cache/vqc`` on Linux, ``~/Library/Caches/vqc`` on macOS, ``%LOCALAPPDATA%\\vqc\\Cache`` on
    Windows.
    """
    from platformdirs import user_cache_path

    return _said("XDG_CACHE_HOME") or user_cache_path(NAME, appauthor=False)


def _said(variable: str) -> Path | None:
    base = os.environ.get(variable)
    return Path(base) / NAME if base else None
