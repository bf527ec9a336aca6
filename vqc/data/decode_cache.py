"""Sets decoded once into the user's cache, as arrays that are mapped into memory and never loaded whole.

    <cache>/vqc/data/<digest>/data.bin      all samples or pixels, end to end
                              shapes.npy    int64 [N, 2] heights and widths, or [N, 1] lengths
                              index.json    items, and what was skipped and why

The digest is that of the source's identity: a file that is added, changed or removed makes another folder.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.data.data_source import Contents, DataItem, DataSource, counted
from vqc.data.derived import Progress, make_once
from vqc.data.formats import MEDIA
from vqc.errors import MediaError, TrainingError
from vqc.format.shapes import Media
from vqc.processors import threads
from vqc.user_folders import user_cache

VERSION = 1  # of the layout and of what decoding does
_AHEAD = 4  # items a thread may decode before the first of them is written


@dataclass(frozen=True)
class DecodedSet:
    """One decoded set: `items` that could be decoded, their `shapes`, and `data`, all of them end to end."""

    folder: Path
    items: list[DataItem]
    skipped: list[tuple[str, str]]
    shapes: NDArray[np.int64]
    data: NDArray[Any]


def open_decoded(source: DataSource, media: Media, progress: Progress | None = None) -> DecodedSet:
    """The decoded set, decoded now unless that was done before.

    Args:
        progress: called with how many items are decoded and how many there are.

    Raises:
        TrainingError: no item can be decoded.
        OutputError: the cache cannot be written.
    """
    digest = hashlib.sha256(f"{VERSION} {media} {source.identity}".encode("utf-8", "surrogateescape")).hexdigest()
    folder = user_cache() / "data" / digest[:32]
    return make_once(
        folder,
        read=lambda place: _read(place, media),
        write=lambda new: _decode(source, media, new, progress),
        what="decoded data",
    )


def _read(folder: Path, media: Media) -> DecodedSet:
    """Map the set into memory; OSError or ValueError when it is not there or not whole."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8", errors="surrogateescape"))
    shapes: NDArray[np.int64] = np.load(folder / "shapes.npy", allow_pickle=False)
    mapped = np.memmap(folder / "data.bin", dtype=np.uint8 if media == "image" else np.int16, mode="r")
    data = np.asarray(mapped)  # still mapped, but its parts are plain arrays, which are quicker to make
    if data.size != int(shapes.prod(1).sum()) * (3 if media == "image" else 1):
        raise ValueError("cut short")
    items = [DataItem(*fields) for fields in index["items"]]
    return DecodedSet(folder, items, [(name, reason) for name, reason in index["skipped"]], shapes, data)


def _decode(source: DataSource, media: Media, folder: Path, progress: Progress | None) -> None:
    """Fill a new folder."""
    contents = source.contents()
    items: list[DataItem] = []
    skipped: list[tuple[str, str]] = []
    shapes: list[tuple[int, ...]] = []
    with (folder / "data.bin").open("wb") as file:
        for done, (item, array) in enumerate(_decoded(contents), start=1):
            if isinstance(array, MediaError):
                skipped.append((item.name, str(array)))
            else:
                file.write(np.ascontiguousarray(array).data)
                items.append(item)
                shapes.append(array.shape[:2])
            if progress is not None:
                progress(done, len(contents.items))
    if not items:
        raise TrainingError(_nothing(source, media, skipped))
    np.save(folder / "shapes.npy", np.array(shapes, dtype=np.int64))
    index = json.dumps({"title": source.title, "items": items, "skipped": skipped})
    (folder / "index.json").write_text(index, encoding="utf-8")


def _decoded(contents: Contents) -> Iterator[tuple[DataItem, NDArray[Any] | MediaError]]:
    """Every item in order, decoded by as many threads as there are processors, never many ahead."""

    def attempt(index: int) -> NDArray[Any] | MediaError:
        try:
            return contents.read(index)
        except MediaError as error:
            return error

    count = threads()
    waiting: deque[tuple[DataItem, Future[NDArray[Any] | MediaError]]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for index, item in enumerate(contents.items):
                waiting.append((item, pool.submit(attempt, index)))
                if len(waiting) > _AHEAD * count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _nothing(source: DataSource, media: Media, skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return f"{source.title} holds no {MEDIA[media].plural} to train on; check the data"
    return f"{source.title}: of {counted(len(skipped), media)} none can be read; the first: {skipped[0][1]}"
