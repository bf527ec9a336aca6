"""A folder to read files from or write them to, local or remote (s3://, gs://, hf://, …, by fsspec).

A folder is listed by itself, never a whole tree: what is held is at most one folder of names and sizes. A file is
worked on as a local one, and a result is there whole or not at all: object stores show an object when all of it has
come, elsewhere it gets its name last.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from vqc.atomic import atomic_file
from vqc.data.walk import is_hidden, walk
from vqc.errors import MediaError, MissingPackageError, OutputError, VQCError
from vqc.partials import sweep_once
from vqc.storage.urls import is_url

WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "hf", "memory"}
)  # put is all or nothing


class Folder(NamedTuple):
    """What is in a folder: where it lies in the place, in posix form, and the sizes of its files by name, sorted."""

    below: str
    files: dict[str, int]


@dataclass(frozen=True)
class Place:
    """A folder by its path or URL, without a slash at the end; use `place_of`. Picklable.

    only: the one file that is meant, of all that are in it.
    """

    root: str
    only: str | None = None
    _memory: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # not pickled

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "only": self.only, "_memory": {}}

    @cached_property
    def local(self) -> Path | None:
        """The folder on this machine, if it is one."""
        return None if is_url(self.root) else Path(self.root)

    def name(self, below: str) -> str:
        """A file as messages call it."""
        return f"{self.root}/{below}" if below else self.root

    def folders(self, say: Any = None) -> Iterator[Folder]:
        """Yield the folder and all below it, one at a time in order of name; hidden ones are passed over.

        Args:
            say: is told of each folder that may not be read, by a sentence.

        Raises:
            MediaError: there is no such folder, or it cannot be listed.
        """
        if self.local is not None:
            yield from self._local_folders(self.local, say)
            return
        waiting = [""]
        while waiting:
            below = waiting.pop()
            try:
                files, folders = self._remote_listing(below)
            except FileNotFoundError:
                if not below:
                    raise MediaError(f"{self.root}: there is no such file or folder") from None
                continue  # it was there a moment ago
            if self.only is not None:
                files, folders = {name: size for name, size in files.items() if name == self.only}, []
            yield Folder(below, files)
            waiting += [f"{below}/{name}" if below else name for name in sorted(folders, reverse=True)]

    def sizes(self, below: str) -> dict[str, int]:
        """Names and sizes of the files in a folder, none if there is none; what killed programs left there is removed.

        Raises:
            MediaError: it cannot be listed.
        """
        if self.local is None:
            try:
                return self._remote_listing(below)[0]
            except FileNotFoundError:
                return {}
        folder = self.local / below
        try:
            sweep_once(folder)
            with os.scandir(folder) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if not entry.is_dir()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise MediaError(f"{folder}: this folder cannot be read: {error.strerror or error}") from error

    @contextmanager
    def fetched(self, below: str) -> Iterator[Path]:
        """A file of the place as one of this machine; a copy is removed again.

        Raises:
            MediaError: it cannot be got.
        """
        if self.local is not None:
            yield self.local / below
            return
        with tempfile.TemporaryDirectory(prefix="vqc-") as folder:
            copy = Path(folder, below.rpartition("/")[2])
            self.fetch(below, copy)
            yield copy

    def fetch(self, below: str, copy: Path) -> None:
        """Copy a file of a remote place; MediaError if it cannot be got."""
        try:
            self._files.get_file(self._path(below), str(copy))
        except Exception as error:
            raise MediaError(f"{self.name(below)}: cannot be got: {_why(error)}") from error

    @contextmanager
    def receiving(self, below: str, *, overwrite: bool) -> Iterator[Path]:
        """A path where a file can be made, that is in the place when the block ends well.

        Raises:
            OutputError: it cannot be put there, or a file is there and is not to be replaced.
        """
        if self.local is not None:
            path = self.local / below
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="vqc-") as folder:
            made = Path(folder, below.rpartition("/")[2])
            yield made
            self.put(made, below, overwrite=overwrite)

    def put(self, made: Path, below: str, *, overwrite: bool) -> None:
        """Copy a file into the place, whole or not at all. Raises what `receiving` does."""
        if self.local is not None:
            with (
                self.receiving(below, overwrite=overwrite) as path,
                made.open("rb") as file,
                atomic_file(path, overwrite=overwrite) as copy,
            ):
                shutil.copyfileobj(file, copy)
            return
        try:
            files, remote = self._files, self._path(below)
            if not overwrite and files.exists(remote):
                raise OutputError(f"{self.name(below)}: this file exists already; use --force to replace it")
            if urlsplit(self.root).scheme in WHOLE:
                files.put_file(str(made), remote)
            else:
                _put_and_rename(files, made, remote)
        except VQCError:
            raise
        except Exception as error:
            raise OutputError(f"{self.name(below)}: cannot be written: {_why(error)}") from error

    def remove(self, below: str) -> None:
        """Take a file away, if it is there."""
        with suppress(FileNotFoundError):
            if self.local is not None:
                (self.local / below).unlink()
            else:
                self._files.rm_file(self._path(below))

    def _local_folders(self, root: Path, say: Any) -> Iterator[Folder]:
        if self.only is not None:
            yield Folder("", {self.only: (root / self.only).stat().st_size})
            return

        if not root.is_dir():
            raise MediaError(f"{root}: there is no such file or folder")

        def unreadable(error: OSError) -> None:
            if say is not None:
                say(f"{error.filename}: this folder cannot be read: {error.strerror or error}")

        for listing in walk(root, unreadable):
            yield Folder(listing.below, {name: _size(root / listing.below / name) for name in listing.files})

    def _remote_listing(self, below: str) -> tuple[dict[str, int], list[str]]:
        """Files with their sizes, and folders."""
        path, found, folders = self._path(below).rstrip("/"), dict[str, int](), list[str]()
        try:
            entries = self._files.ls(path, detail=True)
            dircache = getattr(self._files, "dircache", None)
            if dircache is not None:
                dircache.clear()  # else the whole tree is held in the end
        except FileNotFoundError:
            raise
        except Exception as error:
            raise MediaError(f"{self.name(below)}: this folder cannot be read: {_why(error)}") from error
        for entry in sorted(entries, key=lambda entry: str(entry["name"])):
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            if is_hidden(name) or str(entry["name"]).rstrip("/") == path.lstrip("/") or not name:
                continue  # the last: a marker that stands for the folder itself
            if entry["type"] == "directory":
                folders.append(name)
            else:
                found[name] = int(entry.get("size") or 0)
        return found, folders

    def _path(self, below: str) -> str:
        """As fsspec calls it: the bucket and what is below, or an address of the web."""
        root: str = self._files._strip_protocol(self.root)
        return f"{root.rstrip('/')}/{below}" if below else root

    @property
    def _files(self) -> Any:
        """The file system, opened once in a process."""
        if "files" not in self._memory:
            self._memory["files"] = _open_files(self.root)
        return self._memory["files"]


def place_of(text: str) -> Place:
    """The folder that a path or URL names, or that of the one file that it names.

    Raises:
        MissingPackageError: the package for such URLs is not installed.
        MediaError: the URL is of no known kind.
    """
    if urlsplit(text).scheme == "file" and is_url(text):
        text = unquote(urlsplit(text).path) or "/"
    if not is_url(text):
        path = Path(text)
        return Place(str(path.parent), path.name) if path.is_file() else Place(str(path))
    scheme, _, rest = text.partition("://")
    place = Place(f"{scheme}://{rest.rstrip('/')}")
    folder, _, name = place.root.rpartition("/")
    try:
        one = not text.endswith("/") and place._files.isfile(place._path(""))
    except VQCError:
        raise
    except Exception as error:
        raise MediaError(f"{text}: cannot be read: {_why(error)}") from error
    return Place(folder, name) if one else place


@contextmanager
def at_hand(text: str, suffixes: Container[str], most: int | None = None) -> Iterator[str]:
    """What a path or URL names, on this machine: of a URL the files that end so are copied, and removed again.

    Args:
        most: of the files that are copied, evenly spaced.

    Raises:
        MissingPackageError, MediaError: as `place_of`; or it cannot be listed, or got.
    """
    from vqc.data.data_source import evenly_spaced  # imports NumPy

    place = place_of(text)
    if place.local is not None:
        yield str(place.local / (place.only or ""))
        return
    all_of_it = (PurePosixPath(folder.below, name) for folder in place.folders() for name in folder.files)
    found = sorted(path for path in all_of_it if path.suffix.lower() in suffixes)  # as in a folder of this machine
    with tempfile.TemporaryDirectory(prefix="vqc-") as held:
        root = Path(held, place.root.rpartition("/")[2] or "files")
        root.mkdir()
        for name in found if most is None else evenly_spaced(found, most):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            place.fetch(str(name), root / name)
        yield str(root / (place.only or ""))


def _open_files(url: str) -> Any:
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)[0]
    except ImportError as error:
        raise MissingPackageError(f"{url}: a package for such URLs is missing: {error}") from error
    except Exception as error:
        raise MediaError(f"{url}: cannot be opened: {_why(error)}") from error


def _put_and_rename(files: Any, made: Path, remote: str) -> None:
    parent, _, name = remote.rpartition("/")
    partial = f"{parent}/.{name}.{os.urandom(6).hex()}.vqc-part"
    files.makedirs(parent, exist_ok=True)
    try:
        files.put_file(str(made), partial)
        files.mv(partial, remote)
    except BaseException:
        with suppress(Exception):
            files.rm_file(partial)
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _why(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return said.strip().splitlines()[0]
