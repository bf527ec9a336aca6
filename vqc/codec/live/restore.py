"""A recording that is restored while its file comes in, and what is whole of one that ends before its end."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from vqc.atomic import Target
from vqc.codec.audio_io import AudioFiles, AudioFraming, Blocks, Recording, recordings_of
from vqc.codec.codec import Codec
from vqc.codec.inspect.report import Report
from vqc.codec.limits import check_work
from vqc.codec.media_files import Source, Writing
from vqc.codec.open import codec_for_file
from vqc.codec.salvage import clock, places
from vqc.codec.segments import SegmentReader
from vqc.codec.stream_coder import StreamCoder
from vqc.data.audio_writer import AudioWriter
from vqc.data.formats import check_quality
from vqc.errors import ContainerError
from vqc.format.container import (
    CHECKSUM_BYTES,
    FRONT_BYTES,
    LEAST_BYTES,
    MAGIC,
    VERSION_WITH_FIELDS,
    Front,
    Header,
    front_length,
    read_container,
    read_front,
)
from vqc.format.fields import check_size
from vqc.format.index import Streams
from vqc.format.shapes import MAX_SAMPLES
from vqc.format.stream import Read, read_chunks, read_up_to


def decompress_stream(
    source: BinaryIO, target: BinaryIO, *, sharp: bool = False, device: str = "auto", limit: int | None = None
) -> Report:
    """Restore a streamed `.vqc` file while it comes in, as WAV: of each chunk, at once, what the next cannot change.

    Of a file that ends before its end, or is damaged, what is whole is restored; `Report.damage` says what is not.

    Args:
        source: the file, as `compress_stream` writes it; it is read where it stands and need not seek.
        target: of a WAV file, whose header does not say how much comes; it need not seek.
        sharp: restore with the model's sharp decoder: more texture, less true to the original.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of samples per channel to restore; 2^36 when left out.

    Raises:
        ContainerError: the source is no such file, its front or all of it is damaged, or it is over the limit.
        ModelNotFoundError: the model it was made with is not at hand; the message names it.
        OptionError: there is no such device, or the model has no sharp decoder.
    """
    return restore_to_wav(arriving(source), target, sharp=sharp, device=device, limit=limit)


def restore_to_wav(
    arrived: Arriving,
    target: BinaryIO,
    *,
    sharp: bool,
    device: str,
    limit: int | None,
    quality: int | None = None,
) -> Report:
    """Restore as `decompress_stream` does, of a file whose front is there."""
    check_quality("wav", quality)
    live, counted = LiveRecording(arrived, sharp=sharp, device=device, limit=limit, hurry=True), _Counted(target)
    shape = live.reader.shape
    with AudioWriter(
        cast("BinaryIO", counted),
        shape.sample_rate,
        shape.channels,
        format="wav",
        channel_mask=shape.channel_mask,
        samples=None,
        name="the restored sound",
    ) as writer:
        for block in live.blocks:
            writer.write(block)
            target.flush()
    return live.report(counted.size)


def restore_to_file(
    arrived: Arriving,
    target: Target,
    *,
    format: str | None,
    quality: int | None,
    overwrite: bool,
    sharp: bool,
    device: str,
    limit: int | None,
) -> Report:
    """Restore as `decompress_stream` does, to a file of any format, which appears when all is there."""
    assert arrived.front is not None, "whoever calls has looked"
    files, shape = AudioFiles(), arrived.front.header.shape
    format = files.format_for(target, format, shape)
    check_quality(format, quality)
    live = LiveRecording(arrived, sharp=sharp, device=device, limit=limit)
    how = Writing(format, live.metadata, overwrite, quality)
    return live.report(files.write(live.blocks, shape, target, how))


def cut_stream(source: Source, limit: int | None) -> Arriving | None:
    """A streamed file that is damaged or ends before its end, to be restored as far as it goes; None for others.

    Raises:
        ContainerError: it asks for more work than a file of its size may.
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            arrived = arriving(file)
            data = file.read() if arrived.front else b""
    except OSError:
        return None  # reading it again says why
    if arrived.front is None:
        return None
    with suppress(ContainerError):
        read_container(arrived.begin + data, limit=limit)
        return None
    count, chunks, header = 0, read_chunks(io.BytesIO(data).read), arrived.front.header
    with suppress(ContainerError):
        for count, _ in enumerate(chunks, 1):  # noqa: B007
            pass
    framing = recordings_of(codec_for_file(header, "cpu").framing)
    shape = header.shape.of_chunks(header.shape.chunk_frames, 0)
    shape = replace(shape, samples=framing.samples_of_chunks(shape, count))
    check_work(framing, replace(header, shape=shape), len(data), limit)
    return Arriving(io.BytesIO(data), arrived.begin, arrived.front)


@dataclass(frozen=True)
class Arriving:
    """A file of which the front is there.

    begin: the bytes that were read.
    front: None where they are not the front of a streamed file.
    """

    file: BinaryIO
    begin: bytes
    front: Front | None = None


def arriving(file: BinaryIO) -> Arriving:
    """Read the front of a file if it is a streamed one; no byte is waited for that such a file may not have yet."""
    begin, length = file.read(LEAST_BYTES), None
    if begin[: len(MAGIC) + 1] != MAGIC + bytes([VERSION_WITH_FIELDS]):
        return Arriving(file, begin)
    while length is None:
        try:
            length = front_length(begin)
        except ContainerError:  # of too few bytes, or of others
            byte = file.read(1) if len(begin) < FRONT_BYTES else b""
            if not byte:
                return Arriving(file, begin)
            begin += byte
    begin += read_up_to(file.read, length - len(begin))
    with suppress(ContainerError):
        front = read_front(begin)
        return Arriving(file, begin, front if front.streamed else None)
    return Arriving(file, begin)


class LiveRecording:
    """A recording that is being restored.

    Args:
        arrived: a streamed file.
        limit: largest number of samples per channel to restore.
        hurry: somebody listens: each chunk is restored twice, first what the next cannot change, then all of it.

    Raises:
        ContainerError: this is no streamed file.
        ModelNotFoundError, CheckpointError, OptionError: as `decompress_stream`.
    """

    def __init__(self, arrived: Arriving, *, sharp: bool, device: str, limit: int | None, hurry: bool = False) -> None:
        if arrived.front is None:
            raise ContainerError("this is no .vqc file of a recording that comes in, or its front is damaged")
        self.begin, self.metadata = time.perf_counter(), arrived.front.metadata
        self.codec: Codec[Recording, Blocks] = codec_for_file(arrived.front.header, device, sharp=sharp)
        self._source = _Checked(arrived.file, arrived.begin)
        self.reader = ArrivingReader(self.codec, arrived.front, self._source.read, limit, hurry=hurry)
        self.blocks = self.codec.framing.join(self.reader)  # [n, C]; they are restored when they are taken

    def report(self, bytes_out: int) -> Report:
        """What was done, once all blocks were taken."""
        header, size = self.reader.header, self._source.size
        whole = not self.reader.is_cut and self._source.ends_with_checksum()
        return Report.of(
            header,
            self.codec.name,
            bytes_in=size,
            bytes_out=bytes_out,
            vqc_bytes=size,
            seconds=time.perf_counter() - self.begin,
            damage=self._damage(whole=whole),
        )

    def _damage(self, *, whole: bool) -> tuple[str, ...]:
        """Name what was not restored."""
        found = [*places(self.reader)]
        if self.reader.is_cut:
            found.append(f"what comes after {clock(self.reader.header.shape.extent)}, where the file ends too early")
        return tuple(found) if found or whole else ("nothing that is known, but the checksum does not match",)


class ArrivingReader(SegmentReader):
    """The chunks of a streamed file, read one after the other as they come in.

    header, shape: with the number of samples once the last chunk is there.
    is_cut: whether the bytes ended before the last chunk.
    """

    def __init__(
        self, codec: Codec[Recording, Blocks], front: Front, read: Read, limit: int | None, *, hurry: bool
    ) -> None:
        self._hurry, header = hurry, front.header
        self._framing: AudioFraming = recordings_of(codec.framing)
        self._chunks, self._held, self._limit = read_chunks(read), _Held(header, front.traits), limit
        self.is_cut, self._arrived = False, 0
        self.shape = header.shape.of_chunks(header.shape.chunk_frames, 0)
        self._chunking = self._framing.segments(replace(self.shape, samples=MAX_SAMPLES))  # as good as endless
        super().__init__(self._held, StreamCoder(codec.model, header.quality), self._chunking, salvage=True)

    def indices(self, first: int = 0) -> Iterator[tuple[int, bool]]:
        """The chunks, each once the one after it is there as well, or the end; in a hurry before that, too."""
        self._receive(first)
        while first < len(self):
            if self._hurry and not self.shape.samples and self._chunking.halo < self._chunking.core:
                yield first, False
            self._receive(first + 1)
            yield first, True
            first += 1

    def _receive(self, index: int) -> None:
        """Wait until the chunk with this index is there, or the end."""
        while self._arrived <= index and not self.shape.samples:
            chunk = None
            with suppress(ContainerError):  # nobody knows where the next one begins
                chunk = next(self._chunks, None)
            if chunk is None:
                self._end_early()
                return
            self._held.add(self._arrived, chunk.stream)
            self._arrived += 1
            if chunk.samples:
                self._end(chunk.samples)
            elif self._limit is not None and self._samples_there > self._limit:
                raise ContainerError(
                    f"the .vqc file is over the limit of {self._limit:,} samples; raise it if you trust it"
                )

    def _end_early(self) -> None:
        if not self._arrived:
            raise ContainerError("the .vqc file ends before its first chunk is whole; get it again")
        self.is_cut = True
        self._end(self._samples_there)

    def _end(self, samples: int) -> None:
        """Take note of the number of samples."""
        self.shape = replace(self.shape, samples=samples)
        check_size(self.shape, self._limit)
        frames = self._framing.segments(self.shape).frames
        if -(-frames // self._chunking.core) != self._arrived:
            raise ContainerError("the .vqc file is damaged: its number of samples cannot be right; get it again")
        self._chunking.frames, self.header = frames, replace(self.header, shape=self.shape)

    @property
    def _samples_there(self) -> int:
        return self._framing.samples_of_chunks(self.shape, self._arrived)


class _Held:
    """The streams that have arrived, each to be taken once, and the header: a `StreamSource`."""

    alpha = None

    def __init__(self, header: Header, traits: bytes) -> None:
        self.header, self.traits, self._there = header, traits, dict[int, bytes | None]()

    def streams(self, count: int) -> Streams:
        """These, however many will come."""
        return self

    def add(self, index: int, stream: bytes | None) -> None:
        """Hold a stream; None for one that is damaged."""
        self._there[index] = stream

    def __len__(self) -> int:
        return len(self._there)

    def __getitem__(self, index: int, /) -> bytes:
        stream = self._there.pop(index)
        if stream is None:
            raise ContainerError("the .vqc file is damaged: a stream does not match its checksum; get it again")
        return stream


class _Checked:
    """A file whose bytes are counted and checked as they are read.

    Args:
        begin: what was read of it before.
    """

    def __init__(self, file: BinaryIO, begin: bytes) -> None:
        self._file, self.size, self._crc = file, len(begin), zlib.crc32(begin)

    def read(self, count: int) -> bytes:
        """As `read` of a file."""
        data = self._file.read(count)
        self.size, self._crc = self.size + len(data), zlib.crc32(data, self._crc)
        return data

    def ends_with_checksum(self) -> bool:
        """Read the checksum of what was read before; return whether it is the right one."""
        expected = self._crc.to_bytes(CHECKSUM_BYTES, "little")
        return self.read(CHECKSUM_BYTES) == expected


class _Counted:
    """A file to write to that counts its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size = file, 0

    def write(self, data: bytes) -> int:
        """As `write` of a file."""
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """As `flush` of a file."""
        self._file.flush()
