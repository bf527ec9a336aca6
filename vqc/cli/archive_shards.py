"""A folder or URL into a folder of archives: what `vqc archive create` does where the target is a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cli.collection import Tally
from vqc.cli.console import printable
from vqc.cli.outputs import names_folder
from vqc.cli.progress import ProgressBar
from vqc.data.formats import FORMAT_OF_SUFFIX, MEDIA
from vqc.errors import OptionError
from vqc.storage.urls import is_url

if TYPE_CHECKING:
    from vqc.archive.create import ArchiveOptions
    from vqc.archive.shards import File, Shard, ShardReport
    from vqc.format.shapes import Media
    from vqc.scheduling.scheduler import LostError
    from vqc.scheduling.workers import Workers
    from vqc.storage.places import Place

RESULTS = (".vqc", ".vqca")  # that nobody misses in the source


def are_shards(target: str, inputs: Sequence[str], most: int | None) -> bool:
    """Whether the target is a folder of archives. OptionError when that cannot be of these inputs."""
    remote = [name for name in (target, *inputs) if is_url(name)]
    if not remote and most is None and not names_folder(target):
        return False
    if Path(target).suffix == ".vqca":
        raise OptionError(
            f"{target}: shards and archives at URLs are made in a folder; give its name, with / at the end"
        )
    if len(inputs) != 1:
        raise OptionError(f"{target}: shards are made of one folder or URL; give one input")
    return True


def write_shards(
    target: str, source: str, options: ArchiveOptions, *, media: Media | None, most: int | None, force: bool,
    workers: Workers, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Make the archives that are not there, tell of them, and end the command.

    Args:
        media: of the model; None: that of the first file.
        most: items of a shard.
        force: whether archives that were made of other files are replaced.
    """
    from vqc.archive.shards import SHARD_ITEMS, WriteShard, shards_of
    from vqc.scheduling.scheduler import Retry, map_ordered
    from vqc.storage.places import place_of

    origin, place, tally = place_of(source), place_of(target), Tally()
    given = replace(options, media=media or first_medium(origin))
    retry = Retry(failed=may_be_gone, afresh=lambda shard: shard._replace(replace=True), lost=partial(given_up, origin))
    with ProgressBar("Archiving", 0, quiet=quiet) as bar, tempfile.TemporaryDirectory(prefix="vqc-") as folder:
        index = Path(folder, "index")
        try:
            shards = shards_of(files_of(origin, given.media, tally), given, most or SHARD_ITEMS)
            wanted = not_done(shards, place.sizes(""), tally, index, force=force)
            work = WriteShard(origin, place, given)
            for report in map_ordered(work, wanted, workers, retry):
                count(report, tally, index)
                for text in () if quiet else report.warnings:
                    bar.warn(printable(text))
                bar.at(tally.done + tally.failed + tally.skipped, tally.listed)
            if not tally.listed:
                tally.fail(source, f"{source}: there are no {MEDIA[given.media].plural} in this folder")
            elif index.exists():
                put_index(place, index)
        finally:
            tally.list_failures()
    tally.report(place.root, as_json=as_json, quiet=quiet)


def first_medium(source: Place) -> Media:
    """The medium of the first file that has one; images if none has."""
    for folder in source.folders():
        for name in folder.files:
            if (known := FORMAT_OF_SUFFIX.get(Path(name).suffix.lower())) is not None:
                return known.media
    return "image"


def files_of(source: Place, media: Media, tally: Tally) -> Iterator[File]:
    """Yield the files of a medium with their sizes; the tally is told of the others."""
    for folder in source.folders(lambda problem: tally.fail(problem.partition(":")[0], problem)):
        before = f"{folder.below}/" if folder.below else ""
        for name, size in folder.files.items():
            suffix = Path(name).suffix.lower()
            known = FORMAT_OF_SUFFIX.get(suffix)
            if known is not None and known.media == media:
                tally.listed += 1
                yield before + name, size
            else:
                tally.others[suffix] += suffix not in RESULTS


def not_done(
    shards: Iterable[Shard], there: dict[str, int], tally: Tally, index: Path, *, force: bool
) -> Iterator[Shard]:
    """Yield the shards to make; what is done and what would replace others is counted."""
    from vqc.archive.shards import ShardReport, stale_of

    for shard in shards:
        stale = stale_of(shard, there)
        if there.get(shard.name):
            tally.skipped += len(shard.files)
            add_line(index, ShardReport(shard.name, len(shard.files), shard.files[0][0], shard.files[-1][0]))
        elif stale and not force:
            why = f"{stale[0]}: this shard was made of other files or options; use --force to replace it"
            tally.failed += len(shard.files) - 1
            tally.fail(shard.name, why)
        else:
            yield shard._replace(stale=stale, replace=shard.name in there)


def may_be_gone(report: ShardReport) -> bool:
    """Return whether a shard is worth another try: not all of its files could be got."""
    return report.elsewhere


def given_up(source: Place, shard: Shard, error: LostError) -> ShardReport:
    """The report of a shard that no worker could make."""
    from vqc.archive.shards import ShardReport

    return ShardReport(shard.name, failures=[(source.name(below), str(error)) for below, _ in shard.files])


def count(report: ShardReport, tally: Tally, index: Path) -> None:
    """Count what became of a shard, and note where it is."""
    tally.done += report.items
    tally.bytes_in += report.bytes_in
    tally.bytes_out += report.bytes_out
    tally.bytes_vqc += report.bytes_out
    for name, problem in report.failures:
        tally.fail(name, problem)
    if report.items:
        add_line(index, report)


def add_line(index: Path, report: ShardReport) -> None:
    """Add a shard to the index, which is a file: 10⁸ items are 10⁴ lines."""
    with index.open("a", encoding="utf-8") as file:
        file.write(report.line + "\n")


def put_index(place: Place, index: Path) -> None:
    """Put the lines in order of the shards where they belong."""
    from vqc.archive.shards import INDEX

    lines = index.read_text("utf-8").splitlines()  # which begin with the names of the shards
    index.write_text("".join(f"{line}\n" for line in sorted(lines)), "utf-8")
    place.put(index, INDEX, overwrite=True)
