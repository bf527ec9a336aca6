"""Items of an archive as files again: media, or `.vqc` files as they stand in it."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vqc.archive.reader import Archive, ArchivedItem
from vqc.atomic import check_target, write_atomically
from vqc.codec.batches import restore_each
from vqc.codec.files import FILES
from vqc.codec.media_files import Writing
from vqc.data.formats import FORMAT_OF_SUFFIX, MEDIA, written_as
from vqc.errors import ContainerError, OutputError, VQCError
from vqc.format.container import Container, write_container

VQC_SUFFIX = ".vqc"
_TOGETHER = 128  # items that are read at once


class Extracted(NamedTuple):
    """What became of an item."""

    item: ArchivedItem
    target: Path
    problem: VQCError | OSError | None = None
    skipped: bool = False  # the target was there, and was to be left


def extract(
    archive: Archive,
    items: Sequence[ArchivedItem],
    folder: Path,
    *,
    suffix: str | None = None,
    overwrite: bool = False,
    skip: bool = False,
) -> Iterator[Extracted]:
    """Write items below a folder, under their names, and tell of each once it is there.

    Args:
        suffix: of the files, which is their format; by default .png or .wav. With ".vqc" nothing is decoded.
        overwrite: whether existing files may be replaced.
        skip: whether existing files are left as they are, without an error.

    Raises:
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
    """
    suffix = suffix or MEDIA[archive.media].restored
    if suffix != VQC_SUFFIX:
        _ = archive.codec  # if there is none, nothing begins
    targets = targets_of([item.name for item in items], folder, suffix)
    for first in range(0, len(items), _TOGETHER):
        some = list(zip(items[first : first + _TOGETHER], targets[first : first + _TOGETHER], strict=True))
        yield from _extract(archive, some, suffix, overwrite=overwrite, skip=skip)


def targets_of(names: Sequence[str], folder: Path, suffix: str) -> list[Path]:
    """The file of each name: with another suffix, or whole where two names differ in the suffix alone."""
    short = [stem_of(name) + suffix for name in names]
    wishes = Counter(short)
    return [folder / (own if wishes[own] == 1 else name + suffix) for name, own in zip(names, short, strict=True)]


def stem_of(name: str) -> str:
    """A name without the suffix of a format that is known."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122, names have / on every system
    return stem if suffix.lower() in FORMAT_OF_SUFFIX else name


def _extract(
    archive: Archive, some: list[tuple[ArchivedItem, Path]], suffix: str, *, overwrite: bool, skip: bool
) -> Iterator[Extracted]:
    """Extract some items; those that can be read are decoded together."""
    ready = list[tuple[ArchivedItem, Path, Container]]()
    for item, target in some:
        if skip and os.path.lexists(target):
            yield Extracted(item, target, skipped=True)
            continue
        try:
            _make_room(item.name, target, overwrite=overwrite)
            container = archive.stored(item.index) if suffix == VQC_SUFFIX else archive.container(item.index)
        except (VQCError, OSError) as error:
            yield Extracted(item, target, error)
            continue
        ready.append((item, target, container))
    signals = [container for _, _, container in ready]
    restored = signals if suffix == VQC_SUFFIX else _restored(archive, signals)
    for (item, target, container), signal in zip(ready, restored, strict=True):
        try:
            if suffix == VQC_SUFFIX:
                write_atomically(target, write_container(container), overwrite=overwrite)
            else:
                _write(signal, container, target, suffix, overwrite=overwrite)
        except (VQCError, OSError) as error:
            yield Extracted(item, target, error)
            continue
        yield Extracted(item, target)


def _restored(archive: Archive, containers: list[Container]) -> list[Any]:
    """What containers restore to; an error where one cannot be."""
    try:
        return restore_each(archive.codec, containers)
    except ContainerError:
        pass  # which of them it is shows one by one
    found = list[Any]()
    for container in containers:
        try:
            found += restore_each(archive.codec, [container])
        except ContainerError as error:
            found.append(error)
    return found


def _write(signal: Any, container: Container, target: Path, suffix: str, *, overwrite: bool) -> None:
    if isinstance(signal, ContainerError):
        raise signal
    files, shape = FILES[container.header.media], container.header.shape
    file_format = files.format_for(target, written_as(container.header.media)[suffix], shape)
    files.write(signal, shape, target, Writing(file_format, container.metadata, overwrite))


def _make_room(name: str, target: Path, *, overwrite: bool) -> None:
    """Make the folder of a target; OutputError where the target may not be written."""
    if sys.platform == "win32" and re.search(r'[\\:*?"<>|]', name):
        raise OutputError(f"{name}: files cannot be called so here; extract it with another program")
    target.parent.mkdir(parents=True, exist_ok=True)
    check_target(target, overwrite=overwrite)
