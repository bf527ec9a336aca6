"""The items of an archive for other programs: a Parquet table, a WebDataset tar, or arrays of NumPy.

parquet      a row an item: name, label (a class label of Hugging Face's datasets), and codes (nested lists) or image or
             audio (bytes and path of a file, which datasets decode)
webdataset   000000.codes.npy, or 000000.png or .wav; 000000.cls (number of the label), 000000.json (name, label)
npz          codes, image or audio [N, ...] of items of one shape, else all of them flat with shapes [N, d]; labels,
             label_names, names; of sound sample_rates

::

    indices ─ chunks of some 256 ─► workers: read, decode ─► in their order ─► the file
"""

from __future__ import annotations

import io
import json
import math
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from vqc.archive.contents import Array, Codes, Content, Decoded, Files
from vqc.archive.parquet import import_pyarrow, write_parquet
from vqc.archive.reader import Archive, ArchivedItem
from vqc.atomic import Target, atomic_file
from vqc.data.formats import MEDIA
from vqc.errors import OptionError
from vqc.scheduling.scheduler import map_ordered
from vqc.scheduling.workers import Workers

_TOGETHER, _VALUES_TOGETHER = 256, 2**24  # items that are read at once; their pixels, or samples of all channels

Progress = Callable[[int], object]  # told how many items are done
Rows = Iterator[tuple[ArchivedItem, Any]]


@dataclass(frozen=True)
class ReadItems:
    """Read some items; a class and not a closure so that worker processes can be given it."""

    archive: Archive
    content: Content

    def __call__(self, indices: Sequence[int]) -> Sequence[Array | bytes]:
        return self.content.read(self.archive, indices)


def export_items(
    archive: Archive,
    target: Target,
    form: str,
    *,
    decode: bool = False,
    suffix: str | None = None,
    overwrite: bool = False,
    workers: Workers | int = 1,
    progress: Progress = lambda done: None,
) -> None:
    """Write all items to a file, whole or not at all, in bounded memory but for names and labels.

    Args:
        form: "parquet", "webdataset" or "npz".
        decode: write what items restore to instead of their codes.
        suffix: of the files in a table or tar, which is their format; by default .png or .wav.
        workers: processes; the file does not depend on them but for the last bit of decoded values.

    Raises:
        OptionError: there is no such form, or it has no files whose format could be chosen.
        MissingPackageError: parquet without pyarrow, which the extra "parquet" installs.
        OutputError: the target cannot be written, or exists; or a format cannot hold an item.
        ContainerError: an item is damaged.
    """
    if form not in FORMS:
        raise OptionError(f"--to {form}: choose one of {', '.join(FORMS)}")
    if suffix and (not decode or form == "npz"):
        raise OptionError("--format is that of files in a table or tar: it needs --decode, and not --to npz")
    content: Content = Codes()
    if decode:
        name = archive.media
        content = Decoded(name) if form == "npz" else Files(name, suffix or MEDIA[name].restored)
    if form == "parquet":
        import_pyarrow()  # before a file is begun
    with atomic_file(target, overwrite=overwrite) as file:
        FORMS[form](archive, content, _rows(archive, content, workers, progress), file)


def _rows(archive: Archive, content: Content, workers: Workers | int, progress: Progress) -> Rows:
    """Give every item with what is exported of it."""
    chunks, done = list(_chunks(archive)), 0
    for chunk, read in zip(chunks, map_ordered(ReadItems(archive, content), chunks, workers), strict=True):
        yield from zip(archive[chunk.start : chunk.stop], read, strict=True)
        done += len(chunk)
        progress(done)


def _chunks(archive: Archive) -> Iterator[range]:
    """The indices of items that are read at once."""
    first, values = 0, 0
    for item in archive:
        size = item.shape.size * item.shape.items
        if item.index > first and (item.index - first == _TOGETHER or values + size > _VALUES_TOGETHER):
            yield range(first, item.index)
            first, values = item.index, 0
        values += size
    if len(archive):
        yield range(first, len(archive))


def _npz(archive: Archive, content: Content, rows: Rows, file: BinaryIO) -> None:
    assert not isinstance(content, Files), "arrays are asked for"
    shapes = [content.shape(archive, item.shape) for item in archive]
    numbers = archive.label_numbers
    arrays = {
        "labels": np.array([numbers[item.label] for item in archive], np.int64),
        "label_names": np.array(archive.labels, dtype=np.str_),
        "names": np.array(archive.names, dtype=np.str_),
    }
    whole: tuple[int, ...] = (len(shapes), *shapes[0]) if shapes else (0,)
    if len(set(shapes)) > 1:
        whole = (sum(map(math.prod, shapes)),)
        arrays["shapes"] = _filled_up(shapes)
    if archive.media == "audio":
        arrays["sample_rates"] = np.array([item.shape.as_audio.sample_rate for item in archive], np.int64)
    dtype = content.dtype(archive)
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": whole}
    with zipfile.ZipFile(file, "w") as packed:
        with _member(packed, content.name, compressed=content.compressed) as member:
            np.lib.format.write_array_header_1_0(member, about)
            for (_, array), shape in zip(rows, shapes, strict=True):
                assert (array.shape, array.dtype) == (shape, dtype), "known before it was read"
                member.write(np.ascontiguousarray(array).data)
        for name, array in arrays.items():
            with _member(packed, name, compressed=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _member(packed: zipfile.ZipFile, name: str, *, compressed: bool) -> Any:
    """An array of an .npz file, to be written."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    return packed.open(entry, "w", force_zip64=True)


def _filled_up(shapes: Sequence[tuple[int, ...]]) -> Array:
    """Shapes as rows [N, d], with zeros at the end where one has fewer axes."""
    rows = np.zeros((len(shapes), max(map(len, shapes))), np.int64)
    for row, shape in zip(rows, shapes, strict=True):
        row[: len(shape)] = shape
    return rows


def _webdataset(archive: Archive, content: Content, rows: Rows, file: BinaryIO) -> None:
    width, numbers = max(6, len(str(len(archive)))), archive.label_numbers
    suffix = content.suffix if isinstance(content, Files) else f".{content.name}.npy"
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for item, held in rows:
            about = json.dumps({"name": item.name, "label": item.label}, ensure_ascii=False)
            data = held if isinstance(content, Files) else _npy(held)
            parts = {suffix: data, ".cls": str(numbers[item.label]).encode(), ".json": about.encode()}
            for ending, part in parts.items():
                entry = tarfile.TarInfo(f"{item.index:0{width}}{ending}")
                entry.size = len(part)
                tar.addfile(entry, io.BytesIO(part))


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


FORMS: Mapping[str, Callable[[Archive, Content, Rows, BinaryIO], None]] = MappingProxyType(
    {"parquet": write_parquet, "webdataset": _webdataset, "npz": _npz}
)
