"""The codes of an archive for other programs: a Parquet table, a WebDataset tar, or arrays of NumPy.

parquet      a row an item: name, label (a class label of Hugging Face's datasets), codes (nested lists)
webdataset   000000.codes.npy, 000000.cls (number of the label), 000000.json (name, label) for each item
npz          codes [N, ...] of items of one shape, else codes [all] with shapes [N, d]; labels, label_names, names
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqc._distribution import install_command
from vqc.archive.reader import Archive, ArchivedItem
from vqc.atomic import atomic_file
from vqc.errors import MissingPackageError, OptionError

_TOGETHER = 256  # items that are read at once
_ROWS = 1024  # of a group of a table

Array = NDArray[Any]
Progress = Callable[[int], object]  # told how many items are done


def export_codes(
    archive: Archive,
    target: str | os.PathLike[str],
    form: str,
    *,
    overwrite: bool = False,
    progress: Progress = lambda done: None,
) -> None:
    """Write the codes of all items to a file, whole or not at all.

    Args:
        form: "parquet", "webdataset" or "npz".

    Raises:
        OptionError: there is no such form.
        MissingPackageError: parquet without pyarrow, which the extra "parquet" installs.
        OutputError: the target cannot be written, or exists.
        ContainerError: an item is damaged.
    """
    if form not in FORMS:
        raise OptionError(f"--to {form}: choose one of {', '.join(FORMS)}")
    if form == "parquet":
        _pyarrow()  # before a file is begun
    with atomic_file(target, overwrite=overwrite) as file:
        FORMS[form](archive, file, progress)


def coded(archive: Archive, progress: Progress) -> Iterator[tuple[ArchivedItem, Array]]:
    """Give every item with its codes, as uint16, or int32 where -1 stands for silence."""
    for first in range(0, len(archive), _TOGETHER):
        items = archive[first : first + _TOGETHER]
        for item, codes in zip(items, archive.codes([item.index for item in items]), strict=True):
            yield item, codes.astype(np.int32 if codes.min(initial=0) < 0 else np.uint16)
        progress(first + len(items))


def _npz(archive: Archive, file: BinaryIO, progress: Progress) -> None:
    items, codes = list[ArchivedItem](), list[Array]()
    for item, own in coded(archive, progress):
        items.append(item)
        codes.append(own)
    arrays = {"codes": np.stack(codes) if codes else np.zeros(0, np.uint16)} if _alike(codes) else _flat(codes)
    arrays |= {
        "labels": np.array([archive.labels.index(item.label) for item in items], np.int64),
        "label_names": np.array(archive.labels, dtype=np.str_),
        "names": np.array([item.name for item in items], dtype=np.str_),
    }
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _alike(codes: list[Array]) -> bool:
    return len({own.shape for own in codes}) <= 1


def _flat(codes: list[Array]) -> dict[str, Array]:
    """Codes of several shapes one after the other; shapes are filled up with zeros at the end."""
    shapes = np.zeros((len(codes), max(own.ndim for own in codes)), np.int64)
    for row, own in zip(shapes, codes, strict=True):
        row[: own.ndim] = own.shape
    return {"codes": np.concatenate([own.reshape(-1) for own in codes]), "shapes": shapes}


def _webdataset(archive: Archive, file: BinaryIO, progress: Progress) -> None:
    width = max(6, len(str(len(archive))))
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for item, codes in coded(archive, progress):
            array = io.BytesIO()
            np.save(array, codes, allow_pickle=False)
            about = json.dumps({"name": item.name, "label": item.label}, ensure_ascii=False)
            parts = {"cls": str(archive.labels.index(item.label)), "json": about}
            _add(tar, f"{item.index:0{width}}.codes.npy", array.getvalue())
            for suffix, text in parts.items():
                _add(tar, f"{item.index:0{width}}.{suffix}", text.encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _parquet(archive: Archive, file: BinaryIO, progress: Progress) -> None:
    pa, parquet = _pyarrow()
    rows = list(coded(archive, progress))
    if len({codes.ndim for _, codes in rows}) > 1:
        raise OptionError("the archive has sound of one channel and of several, which no column can hold; use npz")
    of_codes = pa.int32()
    for _ in range(rows[0][1].ndim if rows else 3):
        of_codes = pa.list_(of_codes)
    label = {"names": archive.labels, "_type": "ClassLabel"}
    about = {"huggingface": json.dumps({"info": {"features": {"label": label}}})}
    columns = [("name", pa.string()), ("label", pa.int64()), ("codes", of_codes)]
    schema = pa.schema(columns, metadata=about)
    with parquet.ParquetWriter(file, schema) as writer:
        for first in range(0, len(rows), _ROWS):
            some = rows[first : first + _ROWS]
            values = {
                "name": [item.name for item, _ in some],
                "label": [archive.labels.index(item.label) for item, _ in some],
                "codes": [codes.tolist() for _, codes in some],
            }
            writer.write_table(pa.table(values, schema=schema))


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(
            f"Parquet is written by pyarrow, which is not here; run: {install_command('parquet')}"
        ) from error
    return pyarrow, pyarrow.parquet


FORMS: Mapping[str, Callable[[Archive, BinaryIO, Progress], None]] = MappingProxyType(
    {"parquet": _parquet, "webdataset": _webdataset, "npz": _npz}
)
