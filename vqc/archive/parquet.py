"""The items of an archive as a Parquet table that Hugging Face's datasets know: class labels, images, audio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from vqc._distribution import needs_extra
from vqc.archive.contents import Array, Content, Files
from vqc.archive.reader import Archive, ArchivedItem
from vqc.errors import MissingPackageError, OptionError, OutputError

_ROWS, _BYTES = 1024, 2**25  # of a group, which is held
_MOST_BYTES = 2**31 - 1  # of a value, in the columns that datasets have for images and audio
_FEATURES = {"image": "Image", "audio": "Audio"}  # their names there

Rows = Iterator[tuple[ArchivedItem, Any]]


def write_parquet(archive: Archive, content: Content, rows: Rows, file: BinaryIO) -> None:
    """Write the table, group by group.

    Raises:
        OptionError: one column cannot hold all items.
        OutputError: an item is too large.
    """
    pa, parquet = import_pyarrow()
    features: dict[str, object] = {"label": {"names": archive.labels, "_type": "ClassLabel"}}
    if isinstance(content, Files):
        features[content.name] = {"_type": _FEATURES[content.name]}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    columns = [("name", pa.string()), ("label", pa.int64()), (content.name, _type(pa, archive, content))]
    schema, numbers = pa.schema(columns, metadata=about), archive.label_numbers
    with parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(rows, content):
            values = {
                "name": [item.name for item, _ in group],
                "label": [numbers[item.label] for item, _ in group],
                content.name: [value for _, value in group],
            }
            writer.write_table(pa.table(values, schema=schema))


def import_pyarrow() -> tuple[Any, Any]:
    """The package and its module for Parquet; MissingPackageError without it."""
    with needs_extra("parquet", "Parquet is written by pyarrow, which is not here", MissingPackageError):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet


def _type(pa: Any, archive: Archive, content: Content) -> Any:
    """The type of the column of codes, or of files."""
    if isinstance(content, Files):
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    axes = {len(content.shape(archive, item.shape)) for item in archive}
    if len(axes) > 1:
        raise OptionError("the archive has sound of one channel and of several, which no column can hold; use npz")
    of_codes = pa.int32()
    for _ in range(axes.pop() if axes else 3):
        of_codes = pa.list_(of_codes)
    return of_codes


def _groups(rows: Rows, content: Content) -> Iterator[list[tuple[ArchivedItem, object]]]:
    """Items with the values of their column, as many as a group of rows has."""
    group, size = list[tuple[ArchivedItem, object]](), 0
    for item, held in rows:
        length = len(held) if isinstance(content, Files) else held.nbytes
        if group and (len(group) == _ROWS or size + length > _BYTES):
            yield group
            group, size = [], 0
        group.append((item, _value(item, held, content)))
        size += length
    yield from [group] if group else []


def _value(item: ArchivedItem, held: Array | bytes, content: Content) -> object:
    if not isinstance(content, Files):
        assert not isinstance(held, bytes), "these are codes"
        return held.tolist()
    if len(held) > _MOST_BYTES:
        raise OutputError(f"{item.name}: a file of 2 GiB is too large for a table; take another --format")
    return {"bytes": held, "path": content.path(item.name)}
