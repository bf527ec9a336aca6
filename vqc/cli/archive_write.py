"""Files into an archive: what `vqc archive create` and `append` do, and `vqc compress --archive`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vqc.cli.archive_inputs import find_sources, model_of
from vqc.cli.archive_shards import are_shards, write_shards
from vqc.cli.console import duration, number, print_json, printable, size, warn
from vqc.cli.options import WorkOptions
from vqc.cli.progress import ProgressBar

if TYPE_CHECKING:
    from vqc.archive.create import Chunk


@dataclass
class Tally:
    """What was done."""

    skipped: int  # names that the archive has already
    items: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # name, why
    begin: float = field(default_factory=time.perf_counter)

    def add(self, chunk: Chunk) -> None:
        """Count what became of some files."""
        self.items += len(chunk.items)
        self.bytes_in += chunk.bytes_in
        self.bytes_out += sum(len(item.data) for item in chunk.items)
        self.failures += chunk.failures

    def report(self, target: Path, notes: Sequence[str], *, as_json: bool, quiet: bool) -> None:
        """Tell what was done, and end the command with exit code 1 if something was not."""
        seconds = time.perf_counter() - self.begin
        if as_json:
            failures = [{"input": name, "error": problem} for name, problem in self.failures]
            counts = {"items": self.items, "skipped": self.skipped, "bytes_in": self.bytes_in}
            written = {"bytes_out": target.stat().st_size if target.exists() else 0, "seconds": round(seconds, 4)}
            print_json({"archive": str(target), **counts, **written, "failures": failures})
        elif self.items and not quiet:
            ratio = number(self.bytes_in / max(1, self.bytes_out))
            sizes = f"{size(self.bytes_in)} -> {size(self.bytes_out)}  {ratio}x"
            print(f"{target}: {counted(self.items)}  {sizes}  {duration(seconds)}")
        if self.skipped and not quiet:
            warn(f"{counted(self.skipped)} left out, as the archive has them already")
        for note in () if quiet else notes:
            warn(note)
        if self.failures:
            raise typer.Exit(1)


def archive_inputs(
    name: str,
    inputs: Sequence[str],
    options: WorkOptions,
    *,
    model: str | None,
    effort: int | None,
    shard_items: int | None = None,
    quality: float | None = None,
    lmbda: float | None = None,
    entropy: str = "auto",
    append: bool = False,
    force: bool = False,
) -> None:
    """Put files into an archive, or a folder of them, tell of them, and end the command."""
    from vqc.archive.create import ArchiveOptions, archive_files
    from vqc.archive.reader import Archive
    from vqc.codec.rate import Rate

    given = ArchiveOptions(
        model=model,
        quality=quality,
        entropy=entropy,
        rate=Rate(effort=effort, lmbda=lmbda),
        device=options.device,
        limit=options.limit,
    )
    if not append and are_shards(name, inputs, shard_items):
        write_shards(
            name, inputs[0], given, media=model_of(model), most=shard_items, force=force,
            workers=options.workers, as_json=options.json, quiet=options.quiet,
        )  # fmt: skip
        return
    target = Path(name)
    there = Archive(target) if append else None
    found = find_sources(inputs, there.media if there else model_of(model))
    known = set(there.names) if there else set()
    sources = [source for source in found.sources if source.name not in known]
    tally = Tally(len(found.sources) - len(sources), failures=list(found.failures))
    with ProgressBar("Archiving", len(sources), quiet=options.quiet) as bar:
        for _, problem in found.failures:
            bar.warn(problem)

        def done(chunk: Chunk) -> None:
            tally.add(chunk)
            for text in () if options.quiet else chunk.warnings:
                bar.warn(printable(text))
            for name, problem in chunk.failures:
                bar.warn(printable(problem if name in problem else f"{name}: {problem}"))
            bar.at(min(tally.items + len(tally.failures), len(sources)), len(sources))

        if sources or append:
            given = replace(given, media=found.media)
            archive_files(target, sources, given, append=append, overwrite=force, workers=options.workers, done=done)
    tally.report(target, found.notes, as_json=options.json, quiet=options.quiet)


def append_archives_to(target: Path, others: Sequence[str], options: WorkOptions) -> None:
    """Put the items of other archives into one, tell of them, and end the command."""
    from vqc.archive.merge import append_archives
    from vqc.archive.reader import open_archive

    total, tally = sum(len(open_archive(other)) for other in others), Tally(0)
    with ProgressBar("Appending", total, quiet=options.quiet) as bar:
        for chunk in append_archives(target, others):
            tally.add(replace(chunk, bytes_in=sum(len(item.data) for item in chunk.items)))
            for _, problem in chunk.failures:
                bar.warn(printable(problem))
            bar.at(tally.items, total)
    tally.skipped = total - tally.items - len(tally.failures)
    tally.report(target, (), as_json=options.json, quiet=options.quiet)


def counted(count: int) -> str:
    """`1 item` or `2,000 items`."""
    return f"{count:,} {'item' if count == 1 else 'items'}"
