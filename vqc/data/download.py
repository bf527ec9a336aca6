"""The sets of torchvision and torchaudio on disk, downloaded only when that is asked for.

Both packages are optional and imported nowhere else. A download goes to a hidden folder and moves into its place when
it is complete: what was cut off is never taken for the set.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc._distribution import install_command
from vqc.errors import OutputError, TrainingError

EXTRA = install_command("train")


def dataset_class(package: str, name: str, title: str) -> Any:
    """A class of ``torchvision.datasets`` or ``torchaudio.datasets``.

    Raises:
        TrainingError: the package is missing, does not fit the torch that is installed, or has no such class.
    """
    try:
        module = importlib.import_module(f"{package}.datasets")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package:
            raise _broken(package, title, error) from error
        raise TrainingError(f"{title} is a set of {package}, which needs the extra: {EXTRA}") from error
    # Built against another torch, or its libraries are missing: what is raised then differs between versions.
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise _broken(package, title, error) from error
    if not hasattr(module, name):
        raise TrainingError(f"{title} is not in the installed {package}; get the one that fits vqc: {EXTRA}")
    return getattr(module, name)


def open_dataset(kind: Any, root: Path, arguments: Mapping[str, Any], *, title: str) -> Any:
    """The set of this class that lies in `root`, or None where it does not.

    Raises:
        TrainingError: it needs a package that is not installed.
    """
    try:
        return kind(root=str(root), download=False, **arguments)
    except ImportError as error:
        raise TrainingError(_needs_package(title, error)) from error
    except (RuntimeError, OSError) as error:  # OSError: it looks into files before it looks whether they are there
        if "pip install" in str(error):  # some sets tell of a missing package in this way
            raise TrainingError(f"{title} cannot be opened: {error}") from error
        return None


def download_dataset(kind: Any, root: Path, arguments: Mapping[str, Any], *, title: str) -> None:
    """Download the set of this class into `root`.

    Raises:
        TrainingError: the download failed.
        OutputError: `root` cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root, ignore_cleanup_errors=True) as beside:
            _download(kind, beside, arguments, title)
            _move(Path(beside), root)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written: {error.strerror or error}; choose another folder") from error


def obtain_dataset(kind: Any, root: Path, arguments: Mapping[str, Any], *, title: str, download: bool) -> Any:
    """Open the set of this class that lies in `root`, downloaded first if it does not and that is asked for.

    Raises:
        TrainingError: it is not there and not to be downloaded, or cannot be had.
        OutputError: `root` cannot be written.
    """
    opened = open_dataset(kind, root, arguments, title=title)
    if opened is None and download:
        download_dataset(kind, root, arguments, title=title)
        opened = open_dataset(kind, root, arguments, title=title)
    if opened is None:
        raise missing(title, root)
    return opened


def plain_name(name: str) -> str:
    """Return a name as tables have it: CIFAR-10, cifar_10 and cifar10 are one."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def missing(title: str, root: Path) -> TrainingError:
    """The error of a set that is not there and was not to be downloaded."""
    return TrainingError(f"{title} is not in {root}; add --download to get it, or give a folder")


def _download(kind: Any, folder: str, arguments: Mapping[str, Any], title: str) -> None:
    try:
        kind(root=folder, download=True, **arguments)
    except ImportError as error:
        raise TrainingError(_needs_package(title, error)) from error
    except Exception as error:  # of sockets, HTTP, TLS, checksums, archives: whatever the package lets through
        raise TrainingError(
            f"{title} cannot be downloaded: {error or type(error).__name__}; check the network and try again"
        ) from error


def _move(source: Path, target: Path) -> None:
    """All files below one folder to the same places below another one on the same disk."""
    for parent, _, files in os.walk(source):
        place = target / Path(parent).relative_to(source)
        place.mkdir(exist_ok=True)
        for name in files:
            (Path(parent) / name).replace(place / name)


def _needs_package(title: str, error: ImportError) -> str:
    what = f"the package {error.name}; install it with pip install {error.name}" if error.name else f"more: {error}"
    return f"{title} needs {what}"


def _broken(package: str, title: str, error: Exception) -> TrainingError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TrainingError(
        f"{title} needs {package}, which does not work here ({reason}); get the one that fits: {EXTRA}"
    )
