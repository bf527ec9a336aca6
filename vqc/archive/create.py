"""Files into an archive: blocks of files, compressed in batches by several processes and written in their order.

    sources ─ chunks of some 256 ─► workers: read, compress together ─► block ─► archive, on the disk ─► `done` is told

One bad file does not stop the others. The bytes do not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from vqc.archive.model import codec_of_archive
from vqc.archive.reader import Archive
from vqc.archive.writer import ArchiveWriter, append_to_archive, create_archive
from vqc.atomic import Target, check_target
from vqc.codec.batches import BatchCompressor, Prepared
from vqc.codec.codec import Codec
from vqc.codec.files import FILES
from vqc.codec.framing import is_small
from vqc.codec.limits import check_source
from vqc.codec.open import open_codec
from vqc.codec.rate import Rate
from vqc.errors import MediaWarning, VQCError, warnings_to
from vqc.format.archive import ArchiveHeader, Item, check_name, pack_item
from vqc.format.container import Container
from vqc.format.shapes import Media
from vqc.models.kinds import KINDS
from vqc.scheduling.scheduler import LostError, Retry, map_ordered
from vqc.scheduling.workers import Workers

CHUNK_ITEMS, CHUNK_BYTES = 256, 2**25  # files, and bytes of them, that are compressed together and become a block

File = TypeVar("File")


class Source(NamedTuple):
    """A file to put into an archive."""

    path: Path
    name: str  # in the archive: a path with / between
    label: str = ""


def label_of(name: str) -> str:
    """The first folder of a name, which is the class of an item in most data sets; "" without one."""
    folder, slash, _ = name.partition("/")
    return folder if slash else ""


@dataclass(frozen=True)
class Chunk:
    """What became of some sources: items, and sentences about those that failed, and warnings."""

    items: list[Item] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)  # name, why
    warnings: list[str] = field(default_factory=list)
    bytes_in: int = 0


@dataclass(frozen=True, kw_only=True)
class ArchiveOptions:
    """How sources are compressed: see `vqc.compress_file`; a size cannot be asked for."""

    media: Media = "image"
    model: str | None = None
    quality: float | None = None
    entropy: str = "auto"
    rate: Rate = Rate()  # noqa: RUF009, it is frozen
    device: str = "auto"
    limit: int | None = None


@dataclass(frozen=True)
class CompressChunk:
    """Compress some sources; a class and not a closure so that worker processes can be given it."""

    options: ArchiveOptions
    header: ArchiveHeader | None = None  # of the archive that is gone on with

    def codec(self) -> Codec[Any, Any]:
        """The codec of the model, loaded once in a process."""
        options = self.options
        if self.header is None:
            return open_codec(options.media, options.model, options.device)
        return codec_of_archive(self.header, options.device, options.model)

    def compressor(self) -> BatchCompressor:
        """The compressor of the items."""
        options, header = self.options, self.header
        quality = options.quality if header is None else header.quality
        entropy = options.entropy if header is None else header.entropy
        return BatchCompressor(self.codec(), quality=quality, entropy=entropy, rate=options.rate)

    def __call__(self, sources: Sequence[Source]) -> Chunk:
        compressor, chunk, waiting = self.compressor(), Chunk(bytes_in=sum(map(size_of, sources))), list[Prepared]()
        made = dict[str, Container | int]()  # by name: a container, or the place among those that wait
        for source in sources:
            with warnings_to(lambda warning: chunk.warnings.append(str(warning)), MediaWarning):
                try:
                    check_name(source.name)
                    one = self._one(compressor, source)
                except (VQCError, OSError, MemoryError) as error:
                    chunk.failures.append((source.name, str(error) or type(error).__name__))
                    continue
            made[source.name] = one if isinstance(one, Container) else len(waiting)
            waiting += [one] if isinstance(one, Prepared) else []
        batch = compressor.together(waiting)
        labels = {source.name: source.label for source in sources}
        for name, place in made.items():
            container = place if isinstance(place, Container) else batch[place]
            chunk.items.append(Item(name, labels[name], container.header.shape, pack_item(container)))
        return chunk

    def _one(self, compressor: BatchCompressor, source: Source) -> Container | Prepared:
        """Compress a file, or make it ready if it is small."""
        codec, limit = compressor.codec, self.options.limit
        files = FILES[codec.model.media]
        with files.open(source.path, limit) as (signal, shape):
            check_source(codec.framing, shape, size_of(source), limit, str(source.path))
            if not is_small(shape):
                return compressor.alone(signal)
            prepared = compressor.prepare(signal)
        if prepared is not None:
            return prepared
        with files.open(source.path, limit) as (signal, _):
            return compressor.alone(signal)


def archive_files(
    target: Target,
    sources: Sequence[Source],
    options: ArchiveOptions,
    *,
    append: bool = False,
    overwrite: bool = False,
    workers: Workers | int = 1,
    done: Callable[[Chunk], object] = lambda chunk: None,
) -> None:
    """Compress files into an archive.

    Args:
        target: the archive; it can be opened while it grows, and ends with what was done when this is interrupted.
        sources: in the order that the items are to have. One whose name another had is a failure.
        append: go on with an archive that is there, with its model, quality and mode.
        overwrite: whether an existing target may be replaced when the first items are ready.
        workers: processes of this machine, or of a cluster; the bytes do not depend on them.
        done: is told of each chunk of sources, once its items are on the disk.

    Raises:
        OptionError: an option has a value that cannot be used.
        OutputError: the target cannot be written, or exists.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
        MediaError, ContainerError: the archive to append to is not there, or damaged.
    """
    if not append:
        check_target(target, overwrite=overwrite)
    writer: ArchiveWriter | None = append_to_archive(target) if append else None
    try:
        known = set(Archive(target).names) if append else set[str]()
        sources, twice = _without_twins(sources, known)
        work = CompressChunk(options, writer.header if writer else None)
        compressor = work.compressor()  # says what is wrong with options before anything is done
        if twice:
            done(Chunk(failures=twice))
        given = list(chunks_of(sources, size_of))
        for chunk in map_ordered(work, given, workers, Retry(lost=_lost_chunk)):
            if chunk.items and writer is None:
                writer = create_archive(target, header_of(compressor), overwrite=overwrite)
            if writer is not None:
                writer.write(chunk.items)
            done(chunk)
    finally:
        if writer is not None:
            writer.close()


def chunks_of(files: Iterable[File], size_of: Callable[[File], int]) -> Iterator[list[File]]:
    """Cut files into those that are compressed together."""
    chunk, size = list[File](), 0
    for file in files:
        length = size_of(file)
        if chunk and (len(chunk) == CHUNK_ITEMS or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += length
    if chunk:
        yield chunk


def size_of(source: Source) -> int:
    """Length of a source in bytes; 0 if it cannot be read, which reading it will say."""
    try:
        return source.path.stat().st_size
    except OSError:
        return 0


def _lost_chunk(sources: Sequence[Source], error: LostError) -> Chunk:
    return Chunk(failures=[(source.name, f"{source.path}: {error}") for source in sources])


def _without_twins(sources: Sequence[Source], known: set[str]) -> tuple[list[Source], list[tuple[str, str]]]:
    """The sources whose name no other had before, and sentences about the others."""
    kept, twice = list[Source](), list[tuple[str, str]]()
    for source in sources:
        if source.name in known:
            twice.append((source.name, f"{source.path}: an item of the archive has the name {source.name} already"))
            continue
        known.add(source.name)
        kept.append(source)
    return kept, twice


def header_of(compressor: BatchCompressor) -> ArchiveHeader:
    """The header of an archive of what is compressed so."""
    codec = compressor.codec
    return ArchiveHeader(
        codec=KINDS[codec.model.kind].wire_id,
        entropy=compressor.entropy,
        quality=compressor.point.quality,
        digest=codec.digest,
    )
