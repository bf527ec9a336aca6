"""A data set as a folder of archives, each written by one worker from some files, whole or not at all.

    files of the source, in order ─► shards of some 10,000 ─► a worker: get, compress, write, put ─► 00017-3f9a2c41.vqca

The name of a shard has a digest of what it is made of: model, options, and the names and sizes of its files. So one
that is there need not be opened to know that it is done.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vqc.archive.create import ArchiveOptions, Chunk, CompressChunk, Source, chunks_of, header_of, label_of
from vqc.archive.writer import create_archive
from vqc.errors import MediaError
from vqc.format.archive import write_header
from vqc.storage.places import Place

SHARD_ITEMS, SHARD_BYTES = 10_000, 2**30  # files, and bytes of them
NAME = re.compile(r"(\d{5,})-[0-9a-f]{8}\.vqca")
INDEX = "shards.jsonl"  # a line for each shard, in order

File = tuple[str, int]  # where it lies in the source, and its size in bytes


class Shard(NamedTuple):
    """An archive to make.

    name: of its file.
    files: that it is made of.
    stale: archives with its number that are made of others, and go once this one is there.
    replace: whether a file of its name may be replaced.
    """

    name: str
    files: tuple[File, ...]
    stale: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True)
class ShardReport:
    """What became of a shard, with sentences about the files that are not in it.

    elsewhere: whether another worker may do better.
    """

    shard: str
    items: int = 0
    first: str = ""
    last: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # name, why
    warnings: list[str] = field(default_factory=list)
    elsewhere: bool = False

    @property
    def line(self) -> str:
        """The line of the index."""
        return json.dumps({"shard": self.shard, "items": self.items, "first": self.first, "last": self.last})


def shards_of(files: Iterable[File], options: ArchiveOptions, most: int = SHARD_ITEMS) -> Iterator[Shard]:
    """Cut files into shards of at most `most`, and give each its name.

    Raises what `archive_files` does of options that cannot be used.
    """
    header = write_header(header_of(CompressChunk(options).compressor()))
    made_by = header + repr((options.rate.effort, options.rate.lmbda)).encode()
    number, shard, size = 0, list[File](), 0
    for file in files:
        if shard and (len(shard) == most or size + file[1] > SHARD_BYTES):
            yield _named(number, shard, made_by)
            number, shard, size = number + 1, [], 0
        shard.append(file)
        size += file[1]
    if shard:
        yield _named(number, shard, made_by)


def _named(number: int, files: Sequence[File], made_by: bytes) -> Shard:
    digest = hashlib.sha256(made_by)
    for name, size in files:
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return Shard(f"{number:05}-{digest.hexdigest()[:8]}.vqca", tuple(files))


def stale_of(shard: Shard, there: Mapping[str, int]) -> tuple[str, ...]:
    """Archives of a folder that have the number of a shard and another digest."""
    number = shard.name.partition("-")[0]
    return tuple(
        name for name in there if name != shard.name and (match := NAME.fullmatch(name)) and match[1] == number
    )


@dataclass(frozen=True)
class WriteShard:
    """Make one archive of files of a place in another place; a class so that workers can be given it."""

    source: Place
    target: Place
    options: ArchiveOptions

    def __call__(self, shard: Shard) -> ShardReport:
        work, chunks = CompressChunk(self.options), list[Chunk]()
        names, elsewhere = list[str](), False
        with tempfile.TemporaryDirectory(prefix="vqc-") as folder, ExitStack() as open_archive:
            made, writer = Path(folder, shard.name), None
            for files in chunks_of(shard.files, lambda file: file[1]):
                chunk, missing = self._compress(work, files)
                chunks += [chunk, Chunk(failures=missing)]
                elsewhere |= bool(missing)
                names += [item.name for item in chunk.items]
                if chunk.items and writer is None:
                    writer = open_archive.enter_context(create_archive(made, header_of(work.compressor())))
                if writer is not None:
                    writer.write(chunk.items)
                chunk.items.clear()  # they are in the file
            if writer is not None:
                writer.close()
                self.target.put(made, shard.name, overwrite=shard.replace)
                for name in shard.stale:
                    self.target.remove(name)
            return ShardReport(
                shard.name,
                len(names),
                names[0] if names else "",
                names[-1] if names else "",
                sum(chunk.bytes_in for chunk in chunks),
                made.stat().st_size if writer is not None else 0,
                [failure for chunk in chunks for failure in chunk.failures],
                [warning for chunk in chunks for warning in chunk.warnings],
                elsewhere,
            )

    def _compress(self, work: CompressChunk, files: Sequence[File]) -> tuple[Chunk, list[tuple[str, str]]]:
        """Compress some files; also give sentences about those that could not be got."""
        missing, sources = list[tuple[str, str]](), list[Source]()
        with ExitStack() as copies:
            for below, _ in files:
                try:
                    path = copies.enter_context(self.source.fetched(below))
                except MediaError as error:
                    missing.append((self.source.name(below), str(error)))
                    continue
                sources.append(Source(path, below, label_of(below)))
            chunk = work(sources)
        paths = {source.name: str(source.path) for source in sources}
        told = [(self.source.name(n), why.replace(paths[n], self.source.name(n))) for n, why in chunk.failures]
        chunk.failures[:] = told
        return chunk, missing
