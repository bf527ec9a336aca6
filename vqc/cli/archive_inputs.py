"""From the arguments of `vqc archive create` to the files that go into an archive, and their names there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cli.console import problem_with
from vqc.cli.inputs import STREAM, InputFile, find_inputs, skipped_note
from vqc.cli.output_format import MEDIA_SUFFIXES
from vqc.data.formats import FORMAT_OF_SUFFIX, MEDIA
from vqc.errors import OptionError

if TYPE_CHECKING:
    from vqc.archive.create import Source
    from vqc.format.shapes import Media


@dataclass
class FoundSources:
    """Files for an archive, all of one medium."""

    media: Media
    sources: list[Source] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)  # name, why
    notes: list[str] = field(default_factory=list)


def model_of(name: str | None) -> Media | None:
    """The medium of a model that was named; None if none was."""
    if name is None:
        return None
    from vqc.models.files.zoo import find_by_name

    return find_by_name(name).media


def find_sources(inputs: Sequence[str], media: Media | None) -> FoundSources:
    """The files, of one medium: the one given or, without, the only one that there is.

    Raises:
        OptionError: standard input is named, or there are images and audio and nobody says which.
    """
    from vqc.archive.create import Source, label_of

    if STREAM in inputs:
        raise OptionError("an archive is made of files, which have names; standard input (-) has none")
    found = find_inputs(inputs, MEDIA_SUFFIXES, "images or audio files", passed_over=frozenset({".vqc", ".vqca"}))
    counts: Counter[Media] = Counter(filter(None, map(medium_of, found.sources)))
    if media is None and len(counts) > 1:
        counted = " and ".join(
            f"{count:,} {MEDIA[kind].plural}" if count > 1 else MEDIA[kind].one for kind, count in counts.items()
        )
        raise OptionError(f"here are {counted}, and an archive has one kind: choose with -m photo or -m speech")
    only: Media = next(iter(counts), "image")
    one = media or only
    folders = {Path(name).resolve() for name in inputs if Path(name).is_dir()}
    chosen = FoundSources(one, failures=[(name, problem_with(name, error)) for name, error in found.failures])
    for source in found.sources:
        if medium_of(source) not in (one, None):
            found.others[source.path.suffix.lower()] += 1
            continue
        name = name_of(source, folders if len(inputs) > 1 else set())
        chosen.sources.append(Source(source.path, name, label_of(name)))
    chosen.notes += filter(None, [skipped_note(found.others)])
    return chosen


def medium_of(source: InputFile) -> Media | None:
    """The medium that a suffix stands for; None for others."""
    known = FORMAT_OF_SUFFIX.get(source.path.suffix.lower())
    return None if known is None else known.media


def name_of(source: InputFile, folders: set[Path]) -> str:
    """The path from the folder that was named; of several folders with its name before it."""
    name = source.relative.as_posix()
    folder = source.path
    for _ in source.relative.parts:
        folder = folder.parent
    folder = folder.resolve()
    return f"{folder.name}/{name}" if folder in folders and folder.name else name
