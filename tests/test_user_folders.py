"""Models and caches lie where each system keeps such things, and where they have lain on Linux."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from vqc.user_folders import user_cache, user_models


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


def on(system: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """platformdirs as it is on a system."""
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *a, **k: Path(system(*a, **k).user_data_dir))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *a, **k: Path(system(*a, **k).user_cache_dir))


@pytest.mark.skipif(sys.platform == "win32", reason="these are other paths there")
@pytest.mark.parametrize(
    ("system", "models", "cache"),
    [
        (Unix, ".local/share/vqc/models", ".cache/vqc"),
        (MacOS, "Library/Application Support/vqc/models", "Library/Caches/vqc"),
    ],
)
def test_every_system_has_its_places(
    system: type, models: str, cache: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(system, monkeypatch)
    assert (user_models(), user_cache()) == (home / models, home / cache)


def test_windows_knows_no_author(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on(Windows, monkeypatch)
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda name: str(home / "AppData" / "Local"))
    assert user_models().relative_to(home).parts[-2:] == ("vqc", "models")
    assert "vqc" in user_cache().relative_to(home).as_posix()


@pytest.mark.parametrize("system", [Unix, MacOS, Windows])
def test_the_variables_are_heard_everywhere(
    system: type, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(system, monkeypatch)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "a"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert user_models() == tmp_path / "a" / "vqc" / "models"
    assert user_cache() == tmp_path / "b" / "vqc"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")
def test_on_linux_they_lie_where_they_have_lain(home: Path) -> None:
    assert user_models() == home / ".local" / "share" / "vqc" / "models"
    assert user_cache() == home / ".cache" / "vqc"
