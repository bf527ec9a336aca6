"""The `.vqca` archive, format 1: the items of a data set under one header. This page is the specification.

    header   4    magic      "VQCA"
             1    version    1
             1    codec      kind of model, by its number, as in a .vqc file
             1    mode       how the codes of all items are written: 0 none, 1 static, 2 prior
             1    quality    1..255
             6    digest     of the model
             4    checksum   CRC-32 of the bytes before it
    blocks, one after the other to the end of the file, each
             1    kind       1 items, 2 index
             v    length of the directory, length of the data
             ...  directory
             4    checksum   CRC-32 of the block so far
             ...  data

A directory of items has these fields, for n items; the data are the items themselves in the same order:

             v    n          1..4096
             ...  labels     runs until all have one: number of items v, length v, UTF-8
             ...  shapes     runs: number of items v, flags 1, shape: flags and shape as in a .vqc file
             ...  names      each: bytes that it shares with the start of the name before v, length of its rest v, rest.
                             Whole names are paths in UTF-8 of at most 1,024 bytes, between them /, none empty . or ..
             ...  lengths    each: bytes of the item v
             2n   checks     each: low half of the CRC-32 of the item

An item is what a .vqc file has between its shape and its checksum. Where the kind is one whose files say what
vqc/format/traits.py describes, that comes first: its length v, then the content of the field. Whoever writes an archive
ends with an index:

             v    back       from the start of this block to that of the index before; 0: there is none
             ...  blocks     each, to the end: its length v, its items v. They lie without a gap before this index,
                             after the index before or the header
    and its data, so that it is found from the end of the file:
             4    length of the block without these 8 bytes, 4 "VQCX"

v is LEB128 as in .vqc files; other numbers are little-endian. Bytes that are written are never changed: to append is to
write more blocks after the last index, and a new index. Without one at its end, after a crash or while it grows, an
archive is read from the front, block by block, up to its last whole item.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, takewhile
from typing import NamedTuple, TypeVar

from vqc.errors import ContainerError
from vqc.format.container import ARCHIVE_MAGIC, DIGEST_BYTES, ENTROPIES, Container, Entropy, Header
from vqc.format.fields import VARINT_BYTES, ByteReader, check_size, read_shape, varint, write_shape
from vqc.format.shapes import Shape
from vqc.format.traits import KINDS_WITH_TRAITS, read_traits, write_traits

MAGIC, VERSION, ITEMS, INDEX = ARCHIVE_MAGIC, 1, 1, 2
HEADER_BYTES = len(MAGIC) + 4 + DIGEST_BYTES + 4
TRAILER_MAGIC, TRAILER_BYTES = b"VQCX", 8
HEAD_BYTES = 1 + 2 * VARINT_BYTES  # in which the head of every block lies
CHECKSUM_BYTES, CHECK_BYTES = 4, 2
MAX_ITEMS, MAX_NAME_BYTES = (
    4096,
    1024,
)  # of a block, of a name: a directory may not ask for more memory than it is worth
_FILE = "the archive"

_NO_PATH = re.compile(r"\0|(?:^|/)\.{0,2}(?:/|\Z)")  # a part that is empty, . or ..

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class ArchiveHeader:
    """What all items have in common: which model, and how it was used."""

    codec: int  # number of the kind of model
    entropy: Entropy
    quality: int
    digest: bytes  # the first 6 bytes

    def of_item(self, shape: Shape) -> Header:
        """The header of an item as a `.vqc` file."""
        return Header(codec=self.codec, entropy=self.entropy, quality=self.quality, digest=self.digest, shape=shape)


class Item(NamedTuple):
    """An item to write, or read whole."""

    name: str
    label: str
    shape: Shape
    data: bytes


class Entry(NamedTuple):
    """An item as its directory describes it."""

    name: str
    label: str
    shape: Shape
    start: int  # in the file, or in the data of its block
    length: int
    check: int

    def is_whole(self, data: bytes) -> bool:
        """Tell whether these are the bytes of the item."""
        return len(data) == self.length and _check(data) == self.check


class BlockHead(NamedTuple):
    """The front of a block."""

    kind: int
    head: int  # bytes of it
    directory: int  # bytes of the directory
    data: int  # bytes of the data

    @property
    def front(self) -> int:
        """Bytes before the data."""
        return self.head + self.directory + CHECKSUM_BYTES

    @property
    def length(self) -> int:
        """Bytes of the whole block."""
        return self.front + self.data


class Index(NamedTuple):
    """What an index says."""

    back: int
    blocks: list[tuple[int, int]]  # of each: its length in bytes, its number of items


def write_header(header: ArchiveHeader) -> bytes:
    """The bytes of an archive without items."""
    assert len(header.digest) == DIGEST_BYTES, "six bytes of the digest"
    mode = next(code for code, name in ENTROPIES.items() if name == header.entropy)
    return _checked(MAGIC + bytes([VERSION, header.codec, mode, header.quality]) + header.digest)


def read_header(front: bytes) -> ArchiveHeader:
    """The header at the front of an archive.

    Raises:
        ContainerError: not an archive, of another version, damaged or cut short.
    """
    if front[: len(MAGIC)] != MAGIC:
        raise ContainerError("this is not an archive: it does not begin with the letters VQCA")
    if len(front) < HEADER_BYTES:
        raise ContainerError(f"the archive is cut short: {len(front)} bytes cannot hold a header; get it again")
    reader = ByteReader(front[len(MAGIC) : HEADER_BYTES], _FILE)
    if (version := reader.byte("version")) != VERSION:
        raise ContainerError(f"the archive has format {version}, and this version reads {VERSION}; update vqc")
    codec, mode, quality = (reader.byte(what) for what in ("codec", "mode", "quality"))
    if not _is_checked(front[:HEADER_BYTES]) or mode not in ENTROPIES or not quality:
        raise reader.damaged("header")
    return ArchiveHeader(
        codec=codec, entropy=ENTROPIES[mode], quality=quality, digest=reader.take(DIGEST_BYTES, "digest")
    )


def check_name(name: str) -> bytes:
    """A name in UTF-8.

    Raises:
        ContainerError: it is no path below a folder, too long, or no text.
    """
    try:
        data = name.encode()
    except UnicodeEncodeError:
        raise ContainerError(f"{name!r} is no text in Unicode, which names in an archive are; rename it") from None
    if len(data) > MAX_NAME_BYTES:
        raise ContainerError(f"{name[:40]}… has {len(data):,} bytes, and names in an archive {MAX_NAME_BYTES:,}")
    if _NO_PATH.search(name):
        raise ContainerError(f"{name!r} is no path below a folder, which names in an archive are")
    return data


def pack_item(container: Container) -> bytes:
    """The item of a container: its traits and alpha section, if it has them, and its body."""
    traits = write_traits(container.traits) if container.header.codec in KINDS_WITH_TRAITS else None
    return b"".join(varint(len(part)) + part for part in (traits, container.alpha) if part is not None) + container.body


def unpack_item(header: ArchiveHeader, shape: Shape, data: bytes, limit: int | None = None) -> Container:
    """The container of an item.

    Raises:
        ContainerError: it is damaged, or over the limit as in `read_container`.
    """
    check_size(shape, limit, "the item")
    reader, traits = ByteReader(data, "the item"), b""
    if header.codec in KINDS_WITH_TRAITS:
        traits = read_traits(reader.take(reader.varint("length of the voice"), "voice"))
    alpha = reader.take(reader.varint("length of alpha"), "alpha") if shape.alpha else None
    return Container(header=header.of_item(shape), alpha=alpha, body=reader.rest(), traits=traits)


def write_items(items: Sequence[Item]) -> bytes:
    """A block of 1 to `MAX_ITEMS` items."""
    assert 1 <= len(items) <= MAX_ITEMS, "a block has items, and not too many"
    parts = [varint(len(items))]
    parts += _runs((_text(item.label) for item in items), lambda label: label)
    parts += _runs((item.shape for item in items), lambda shape: bytes([shape.flags()]) + write_shape(shape))
    before = b""
    for item in items:
        name = check_name(item.name)
        shared = _shared(before, name)
        parts += [varint(shared), varint(len(name) - shared), name[shared:]]
        before = name
    parts += [varint(len(item.data)) for item in items]
    parts.append(struct.pack(f"<{len(items)}H", *(_check(item.data) for item in items)))
    return _block(ITEMS, b"".join(parts), b"".join(item.data for item in items))


def write_index(index: Index) -> bytes:
    """A block with an index."""
    numbers = (index.back, *(number for block in index.blocks for number in block))
    front = _block(INDEX, b"".join(map(varint, numbers)), bytes(TRAILER_BYTES))[:-TRAILER_BYTES]
    return front + len(front).to_bytes(4, "little") + TRAILER_MAGIC


def read_head(front: bytes) -> BlockHead:
    """The head of a block, by at least its first `HEAD_BYTES`, or all there are.

    Raises:
        ContainerError: it cannot be one.
    """
    reader = ByteReader(front[:HEAD_BYTES], _FILE)
    kind = reader.byte("block")
    directory, data = reader.varint("length of a block"), reader.varint("length of a block")
    if kind not in (ITEMS, INDEX) or (kind == INDEX and data != TRAILER_BYTES):
        raise reader.damaged("block")
    return BlockHead(kind, min(len(front), HEAD_BYTES) - reader.left, directory, data)


def trailer_length(trailer: bytes) -> int | None:
    """Length of the block, but for its trailer, that ends with these 8 bytes; None if they are no trailer."""
    return int.from_bytes(trailer[:4], "little") if trailer[4:] == TRAILER_MAGIC else None


def read_entries(front: bytes, head: BlockHead, codec: int, start: int = 0) -> list[Entry]:
    """The directory of a block of items, by the bytes before its data, which begin at `start`.

    Raises:
        ContainerError: it is damaged.
    """
    reader = _directory(front, head)
    count = reader.varint("number of items")
    if not 1 <= count <= MAX_ITEMS:
        raise reader.damaged("number of items")
    labels = list(_read_runs(reader, count, lambda: _read_text(reader, reader.varint("length of a label"))))
    shapes = list(_read_runs(reader, count, lambda: read_shape(reader, codec, reader.byte("flags"))))
    names = _read_names(reader, count)
    lengths = reader.varints(count, "length of an item")
    checks = struct.unpack(f"<{count}H", reader.take(CHECK_BYTES * count, "checks"))
    if reader.left or sum(lengths) != head.data:
        raise reader.damaged("lengths of items")
    starts = accumulate(lengths[:-1], initial=start)
    return [Entry(*fields) for fields in zip(names, labels, shapes, starts, lengths, checks, strict=True)]


def read_index(front: bytes, head: BlockHead) -> Index:
    """The index in a block, by the bytes before its data.

    Raises:
        ContainerError: it is damaged.
    """
    reader = _directory(front, head)
    back, blocks = reader.varint("index"), list[tuple[int, int]]()
    while reader.left:
        length, count = reader.varint("length of a block"), reader.varint("number of items")
        if not 1 <= count <= MAX_ITEMS or length < count * (3 + CHECK_BYTES):
            raise reader.damaged("index")
        blocks.append((length, count))
    return Index(back, blocks)


def _block(kind: int, directory: bytes, data: bytes) -> bytes:
    return _checked(bytes([kind]) + varint(len(directory)) + varint(len(data)) + directory) + data


def _directory(front: bytes, head: BlockHead) -> ByteReader:
    """The directory of a block, once its checksum is known to be right."""
    if len(front) != head.front or not _is_checked(front):
        raise ContainerError("the archive is damaged: the checksum of a block does not match; get it again")
    return ByteReader(front[head.head : -CHECKSUM_BYTES], _FILE)


def _checked(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "little")


def _is_checked(data: bytes) -> bool:
    return zlib.crc32(data[:-CHECKSUM_BYTES]) == int.from_bytes(data[-CHECKSUM_BYTES:], "little")


def _check(data: bytes) -> int:
    return zlib.crc32(data) & 0xFFFF


def _shared(before: bytes, name: bytes) -> int:
    """Bytes that two names begin with alike."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, name, strict=False))
    return sum(1 for _ in alike)


def _text(label: str) -> bytes:
    data = label.encode()
    assert len(data) <= MAX_NAME_BYTES, "whoever gives labels has looked"
    return varint(len(data)) + data


def _runs(values: Iterable[Value], write: Callable[[Value], bytes]) -> Iterator[bytes]:
    for value, same in groupby(values):
        yield varint(sum(1 for _ in same)) + write(value)


def _read_runs(reader: ByteReader, count: int, read: Callable[[], Value]) -> Iterator[Value]:
    while count:
        run = reader.varint("run")
        if not 1 <= run <= count:
            raise reader.damaged("run")
        count -= run
        yield from [read()] * run


def _read_text(reader: ByteReader, length: int) -> str:
    if length > MAX_NAME_BYTES:
        raise reader.damaged("text")
    try:
        return reader.take(length, "text").decode()
    except UnicodeDecodeError:
        raise reader.damaged("text") from None


def _read_names(reader: ByteReader, count: int) -> list[str]:
    name, names = b"", list[bytes]()
    for _ in range(count):
        shared, rest = reader.varint("name"), reader.varint("name")
        if shared > len(name) or shared + rest > MAX_NAME_BYTES:
            raise reader.damaged("name")
        name = name[:shared] + reader.take(rest, "name")
        names.append(name)
    try:
        texts = [name.decode() for name in names]
    except UnicodeDecodeError:
        raise reader.damaged("name") from None
    if _NO_PATH.search("/".join(texts)):
        raise reader.damaged("name")
    return texts
