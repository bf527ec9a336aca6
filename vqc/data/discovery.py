"""The images or recordings below folders of any layout, and what the names of subfolders say about them.

train*/ → training      val*/, dev*/ → validation      test*/ → never read
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vqc.data.data_source import DataItem, Split, counted
from vqc.data.formats import FORMAT_OF_SUFFIX, MEDIA, SUFFIXES
from vqc.data.validation_split import split_key
from vqc.data.walk import walk
from vqc.errors import TrainingError
from vqc.format.shapes import Media

FEW = 0.02  # of the files may be of the other kind: covers beside music

# "train-clean-100", "Training", "val", "dev_other", "testA" are parts; "valley" and "testament" are not.
_PART = re.compile(r"(train|val|dev|test)(?:ing|id|idation|elopment)?(?![a-z]{2}).*", re.IGNORECASE | re.DOTALL)
_PARTS: dict[str, Split] = {"train": "training", "val": "validation", "dev": "validation"}


class FoundMedia(NamedTuple):
    """Items and the path of each, sorted by name, and sentences about what was left out."""

    items: list[DataItem]
    paths: list[Path]
    notes: tuple[str, ...]


def find_media(folder: Path, media: Media) -> FoundMedia:
    """Every image or recording below a folder; hidden files are passed over, and each real folder counts once.

    Raises:
        TrainingError: the folder is missing, holds none, or holds images and audio.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is {'a file' if folder.exists() else 'missing'}; give the folder of the data")
    found: dict[Media, list[str]] = {"image": [], "audio": []}
    left_out: Counter[str] = Counter()
    others, closed = 0, list[str]()
    for name in _files(folder, lambda error: closed.append(f"{error.filename} is left out, as it may not be read")):
        kind = _kind(name)
        if kind is None:
            others += 1
        elif test := _test_folder(name):
            left_out[test] += kind == media
        else:
            found[kind].append(name)
    notes = tuple(closed) + tuple(
        f"{folder / test} is left out, as test data is never trained on ({counted(count, media)})"
        for test, count in sorted(left_out.items())
        if count
    )
    _check_kinds(folder, media, found, others + left_out.total())
    names = sorted(found[media])
    items = [DataItem(f"{folder.resolve().name}/{name}", split_key(name), _part(name)) for name in names]
    return FoundMedia(items, [folder / name for name in names], notes)


def _files(folder: Path, unreadable: Callable[[OSError], object]) -> Iterator[str]:
    """Paths of all files relative to a folder, in posix form. Of the names of one folder only the first counts."""
    seen = set()
    for place in walk(folder, unreadable):
        if place.real not in seen:
            seen.add(place.real)
            yield from place.paths


def _kind(name: str) -> Media | None:
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122, a Path for each of a million names is slow
    found = FORMAT_OF_SUFFIX.get(suffix)
    return None if found is None else found.media


def _part_word(name: str) -> tuple[str, str] | None:
    """The uppermost folder in a path that names a part, and which; the file's own name says nothing."""
    parents = name.split("/")[:-1]
    for depth, parent in enumerate(parents):
        if match := _PART.fullmatch(parent):
            return "/".join(parents[: depth + 1]), match[1].lower()
    return None


def _test_folder(name: str) -> str | None:
    found = _part_word(name)
    return found[0] if found and found[1] == "test" else None


def _part(name: str) -> Split | None:
    found = _part_word(name)
    return _PARTS[found[1]] if found else None


def _check_kinds(folder: Path, media: Media, found: dict[Media, list[str]], others: int) -> None:
    other: Media = "audio" if media == "image" else "image"
    wanted, unwanted = len(found[media]), len(found[other])
    if not wanted and unwanted:
        raise TrainingError(
            f"{folder} holds {counted(unwanted, other)} and no {MEDIA[media].plural};"
            f" train on it with vqc train {other}"
        )
    if not wanted:
        what = f"none of its {others:,} files is for this" if others else "it is empty"
        raise TrainingError(
            f"{folder} holds no {MEDIA[media].plural} to train on, {what}; they end in {', '.join(SUFFIXES[media])}"
        )
    if unwanted >= FEW * (wanted + unwanted):
        raise TrainingError(
            f"{folder} mixes {counted(len(found['image']), 'image')} and {counted(len(found['audio']), 'audio')};"
            f" give a folder of {MEDIA[media].plural} alone"
        )
