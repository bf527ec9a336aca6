"""Ogg files, page by page: files put end to end, FLAC within Ogg, the order of channels, and a missing end.

libsndfile reads the first of several files only and takes a file without its end for whole. See RFC 3533 (pages),
RFC 7845 (Opus), RFC 9639 section 10.1 (FLAC).

    first . . . last | first . . last        pages of two links of a chain
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from vqc.data import flac
from vqc.data.channel_layout import vorbis_layout
from vqc.data.recording import Recording
from vqc.data.splice import ByteRange, file_size, splice
from vqc.errors import MediaError

MARK = b"OggS"
_HEAD_BYTES = 27  # of a page, before the table of its segments
_FIRST, _LAST = 2, 4  # flags of a page: begins a stream, ends one
_FLAC_MARKS = (b"\x7fFLAC", flac.MARK)  # the second without the prefix, as before 2003
_FLAC_PREFIX_BYTES = 9
_OPUS_MARK, _OPUS_CHANNELS, _OPUS_FAMILY = b"OpusHead", 9, 18  # where they stand
_VORBIS_MARK, _VORBIS_CHANNELS = b"\x01vorbis", 11
_SEARCHED = 65_536  # bytes looked at together for the next page


class _Page(NamedTuple):
    start: int
    body: int  # where its bytes begin
    stop: int
    flags: int
    granule: int  # of FLAC: samples until its end
    serial: int


@dataclass
class _Link:
    """One of the files of which an Ogg file is put together."""

    start: int
    serial: int  # of its first stream
    content: bytes  # how its first page begins
    stop: int = 0
    samples: int = 0  # of FLAC
    started: bool = False  # whether there was a page that is no stream's first
    open: set[int] = field(default_factory=set)  # streams that have not ended
    bodies: list[ByteRange] = field(default_factory=list)  # of the first stream, if it is FLAC

    @property
    def is_flac(self) -> bool:
        return self.content.startswith(_FLAC_MARKS)

    def add(self, page: _Page) -> None:
        """One more page."""
        self.stop = page.stop
        if page.flags & _FIRST:
            self.open.add(page.serial)
        else:
            self.started = True
        if page.flags & _LAST:
            self.open.discard(page.serial)
        if self.is_flac and page.serial == self.serial:
            self.samples = max(self.samples, page.granule)
            self.bodies.append(ByteRange(page.body, page.stop))


def inspect_ogg(file: BinaryIO, name: str) -> Recording:
    """The recording of an Ogg file.

    Raises:
        MediaError: it ends within a page.
    """
    links = list[_Link]()
    for page in _pages(file, name):
        if not links or (page.flags & _FIRST and links[-1].started):
            file.seek(page.body)
            links.append(_Link(page.start, page.serial, file.read(min(64, page.stop - page.body))))
        links[-1].add(page)
    if not links:
        return Recording()
    plain = len(links) == 1 and not links[0].is_flac
    return Recording(
        parts=() if plain else tuple(_part(file, link) for link in links),
        places=_places(links[0].content),
        doubts=("has no last page and may lack its end; what is there is taken",) if links[-1].open else (),
    )


def _pages(file: BinaryIO, name: str) -> Iterator[_Page]:
    position, size = 0, file_size(file)
    while (position := _next_mark(file, position)) >= 0:
        file.seek(position)
        head = file.read(_HEAD_BYTES)
        segments = file.read(head[-1]) if len(head) == _HEAD_BYTES else b""
        body = position + len(head) + len(segments)
        stop = body + sum(segments)
        if len(head) < _HEAD_BYTES or len(segments) < head[-1] or stop > size:
            raise MediaError(f"{name}: is damaged or cut short: its last page is not whole; get it again")
        granule, serial = int.from_bytes(head[6:14], "little", signed=True), int.from_bytes(head[14:18], "little")
        yield _Page(position, body, stop, head[5], granule, serial)
        position = stop


def _next_mark(file: BinaryIO, position: int) -> int:
    """Find where the next page begins, normally at once; -1 if there is none."""
    file.seek(position)
    data = file.read(len(MARK))
    while data != MARK:
        data += file.read(_SEARCHED)
        found = data.find(MARK)
        if found >= 0:
            return position + found
        if len(data) < _SEARCHED:
            return -1
        position += len(data) - len(MARK) + 1
        data = data[1 - len(MARK) :]
    return position


def _part(file: BinaryIO, link: _Link) -> BinaryIO:
    """The link as a file of its own; FLAC as it is outside Ogg, since not every libsndfile reads it inside."""
    if not link.is_flac:
        return splice(file, [ByteRange(link.start, link.stop)])
    first, *others = link.bodies
    if not link.content.startswith(flac.MARK):
        first = ByteRange(first.start + _FLAC_PREFIX_BYTES, first.stop)
    file.seek(first.start)
    header = file.read(flac.HEADER_BYTES)
    return splice(
        file, [flac.with_samples(header, link.samples), ByteRange(first.start + len(header), first.stop), *others]
    )


def _places(content: bytes) -> tuple[int, ...] | None:
    """Return the layout of the channels; Opus numbers them only in mapping family 1."""
    if content.startswith(_OPUS_MARK) and content[_OPUS_FAMILY : _OPUS_FAMILY + 1] == b"\1":
        return vorbis_layout(content[_OPUS_CHANNELS])
    if content.startswith(_VORBIS_MARK) and len(content) > _VORBIS_CHANNELS:
        return vorbis_layout(content[_VORBIS_CHANNELS])
    return None
