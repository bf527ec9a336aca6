"""Items of other archives into one, as they are: no code is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from vqc.archive.create import CHUNK_ITEMS, Chunk
from vqc.archive.reader import Archive, open_archive
from vqc.archive.writer import append_to_archive
from vqc.atomic import Target
from vqc.errors import ContainerError, OptionError
from vqc.format.archive import Item, pack_item


def append_archives(target: Target, others: Sequence[str]) -> Iterator[Chunk]:
    """Append the items of other archives whose names an archive does not have, block by block as they are on the disk.

    Damaged items are failures.

    Raises:
        OptionError: another archive has another model, quality or entropy mode.
        MediaError, ContainerError, OutputError: an archive cannot be read, or the first not be written.
    """
    opened = [open_archive(other) for other in others]
    with append_to_archive(target) as writer:
        for other in opened:
            if other.header != writer.header:
                raise OptionError(
                    f"{other.path}: has another model, quality or entropy mode than {os.fspath(target)}; "
                    "extract its items as .vqc files, or compress the originals again"
                )
        known = set(Archive(target).names)
        for other in opened:
            for first in range(0, len(other), CHUNK_ITEMS):
                chunk = _chunk_of(other, first, known)
                writer.write(chunk.items)
                yield chunk
            other.close()


def _chunk_of(other: Archive, first: int, known: set[str]) -> Chunk:
    """Some items of an archive, but those whose names are known, which they are from now on."""
    chunk = Chunk()
    for item in other[first : first + CHUNK_ITEMS]:
        if item.name in known:
            continue
        try:
            chunk.items.append(Item(item.name, item.label, item.shape, pack_item(other.stored(item.index))))
        except ContainerError as error:
            chunk.failures.append((item.name, f"{other.path}: {error}"))
        known.add(item.name)
    return chunk
