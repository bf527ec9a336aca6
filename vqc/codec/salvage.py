"""Where a damaged file was damaged, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from vqc.codec.segments import SegmentReader
from vqc.codec.stored_file import StoredFile
from vqc.data.image_files import Picture
from vqc.errors import ContainerError
from vqc.format.chunking import Chunking


def damage_in(reader: SegmentReader | None, file: StoredFile, restored: object) -> tuple[str, ...]:
    """Name what was not restored of a salvaged file: times of a recording, rectangles of an image in pixels.

    Args:
        reader: of the file, None where it has no codes; all that was asked for has been read with it.
        restored: the picture or the recording.
    """
    if reader is None or not reader.salvage:
        return ()
    found = [*places(reader)]
    if reader.header.shape.alpha and isinstance(restored, Picture) and restored.alpha is None:
        found.append("the transparency")
    if not file.is_checked:
        found.append("more that cannot be told, as the file has no index")
    elif not file.is_whole and not found:
        found.append("nothing that is heard or seen")
    return tuple(found)


def not_all_lost(restored: Any, reader: SegmentReader) -> Any:
    """The picture, or the blocks of a recording as they come; ContainerError, at their end, where no segment was whole.

    Args:
        restored: what was read with the reader.
    """
    if not isinstance(restored, Picture):
        return _blocks_of_some(restored, reader)
    _check_not_all_lost(reader)
    return restored


def _blocks_of_some(blocks: Iterable[Any], reader: SegmentReader) -> Iterator[Any]:
    yield from blocks
    _check_not_all_lost(reader)


def _check_not_all_lost(reader: SegmentReader) -> None:
    if len(reader.damaged) == len(reader):
        raise ContainerError("the .vqc file is damaged, and nothing of it can be restored; get it again")


def places(reader: SegmentReader) -> Iterator[str]:
    """Where streams are damaged."""
    segments, shape = reader.segments, reader.header.shape
    if isinstance(segments, Chunking):
        for run in _runs(sorted(reader.damaged)):
            first, last = segments.seconds(run[0])[0], segments.seconds(run[-1])[1]
            yield f"{clock(first)} to {clock(min(last, shape.extent))}"
    else:
        image = shape.as_image
        for index in sorted(reader.damaged):
            rows, columns = segments.pixels(index)
            x, y = columns.start, rows.start
            yield f"{min(columns.stop, image.width) - x}x{min(rows.stop, image.height) - y} pixels at ({x}, {y})"


def _runs(indices: Sequence[int]) -> Iterator[list[int]]:
    """Neighbours together."""
    for _, run in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        yield [index for _, index in run]


def clock(seconds: float) -> str:
    """A time as ffmpeg takes it: 0:12.35 or 1:00:02.00."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"
