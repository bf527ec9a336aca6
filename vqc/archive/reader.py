"""An archive as a sequence of items, each read when it is asked for and nothing else.

To list one needs neither torch nor NumPy: what does is imported where items are decoded.
"""

from __future__ import annotations

import os
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, overload

from vqc.archive.blocks import ArchiveFile, Map
from vqc.errors import ArchiveWarning, ContainerError, OptionError
from vqc.format.archive import ArchiveHeader, Entry, unpack_item
from vqc.format.container import Container, write_container
from vqc.format.shapes import Media, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqc.codec.codec import Codec
    from vqc.codec.media import Audio, Image

_DIRECTORIES = 64  # that are held: of 256 items each, some 2 MB


@dataclass(frozen=True, eq=False, repr=False)
class ArchivedItem:
    """One item of an archive. Only its directory was read so far."""

    archive: Archive
    index: int
    name: str
    label: str  # the folder it came from; "": none
    shape: Shape
    length: int  # in bytes

    @property
    def codes(self) -> NDArray[np.int64]:
        """The codes [G, h, w] or [G, T], [C, G, T] of several channels; -1 where a channel is silent."""
        return self.archive.codes([self.index])[0]

    def decode(self) -> Image | Audio:
        """Restore the item."""
        return self.archive.decode([self.index])[0]

    def to_vqc(self) -> bytes:
        """The item as the bytes of a `.vqc` file; its codes are not looked at."""
        return write_container(self.archive.stored(self.index))

    def __repr__(self) -> str:
        return f"ArchivedItem({self.name!r}, {self.shape.length_in_words}, {self.length:,} bytes)"


class Archive(Sequence[ArchivedItem]):
    """The items of an archive, in their order; see `open_archive`.

    It may be given to other processes, by fork or by pickling: each opens the file for itself.
    """

    def __init__(self, path: str | os.PathLike[str], *, device: str = "auto", limit: int | None = None) -> None:
        self.path, self.device, self.limit = os.fspath(path), device, limit
        self._file = ArchiveFile(path)
        self.header: ArchiveHeader = self._file.header()
        self._map: Map = self._file.find_blocks(self.header.codec)
        self._ends = list(accumulate(place.items for place in self._map.places))
        self._held = dict[int, list[Entry]]()  # directories, by the number of their block
        self._codec: Codec[Any, Any] | None = None

    @property
    def problem(self) -> str:
        """Why not all of the file is read, in a sentence; an empty string if it is."""
        return self._map.problem

    @property
    def media(self) -> Media:
        """The medium of all items."""
        return "image" if self.header.codec % 2 else "audio"

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._file.size()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, key: int | str) -> ArchivedItem: ...
    @overload
    def __getitem__(self, key: slice) -> list[ArchivedItem]: ...
    def __getitem__(self, key: int | str | slice) -> ArchivedItem | list[ArchivedItem]:
        """The item with an index or a name, of several with one name the first; KeyError or IndexError if none is."""
        if isinstance(key, slice):
            return [self[index] for index in range(*key.indices(len(self)))]
        if isinstance(key, str):
            return self[self._by_name[key]]
        index = range(len(self))[key]
        return self._item(index, self._entry(index))

    def __iter__(self) -> Iterator[ArchivedItem]:
        return (self._item(index, self._entry(index)) for index in range(len(self)))

    def __contains__(self, item: object) -> bool:
        return item in self._by_name if isinstance(item, str) else super().__contains__(item)

    def sound(self, problems: list[str] | None = None) -> Iterator[ArchivedItem]:
        """The items of all blocks that can be read; a sentence about each that cannot is added to `problems`."""
        for block, end in enumerate(self._ends):
            first = end - self._map.places[block].items
            try:
                entries = self._directory(block)
            except ContainerError as error:
                if problems is not None:
                    problems.append(f"items {first + 1:,} to {end:,} cannot be read: {error}")
                continue
            yield from (self._item(first + number, entry) for number, entry in enumerate(entries))

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {item.name: item.index for item in reversed(list(self.sound()))}

    @property
    def names(self) -> list[str]:
        """The name of every item, in their order."""
        return [item.name for item in self]

    @cached_property
    def labels(self) -> list[str]:
        """The labels there are, sorted: what label numbers count."""
        return sorted({item.label for item in self})

    @property
    def label_numbers(self) -> dict[str, int]:
        """The number of each label."""
        return {label: number for number, label in enumerate(self.labels)}

    def codes(self, indices: Sequence[int]) -> list[NDArray[np.int64]]:
        """The codes of items, those of one shape read together; see `ArchivedItem.codes`.

        Raises:
            ContainerError: an item is damaged.
            ModelNotFoundError: the model is not at hand.
        """
        from vqc.codec.batches import codes_of_each

        containers = [self.container(index) for index in indices]
        return codes_of_each(self.codec, containers) if containers else []

    def decode(self, indices: Sequence[int]) -> list[Image | Audio]:
        """Restore items, small pictures of one shape together.

        Raises:
            ContainerError: an item is damaged.
            ModelNotFoundError: the model is not at hand.
        """
        from vqc.codec.api import gather
        from vqc.codec.batches import restore_each

        containers = [self.container(index) for index in indices]
        restored = restore_each(self.codec, containers) if containers else []
        return [
            gather(self.codec.framing, one, container.header.shape, len(container.body), self.limit)
            for one, container in zip(restored, containers, strict=True)
        ]

    def stored(self, index: int) -> Container:
        """An item as it stands in the archive, its check verified.

        Raises:
            ContainerError: it is damaged.
        """
        entry = self._entry(range(len(self))[index])
        data = self._file.read(entry.start, entry.length)
        if not entry.is_whole(data):
            raise ContainerError(f"{entry.name} in the archive is damaged: its check does not match; get it again")
        return unpack_item(self.header, entry.shape, data, self.limit)

    def container(self, index: int) -> Container:
        """An item to be read, its check verified and its size believed.

        Raises:
            ContainerError: it is damaged, or asks for more work than an item of its bytes may.
        """
        from vqc.codec.limits import check_work

        container = self.stored(index)
        check_work(self.codec.framing, container.header, len(container.body), self.limit)
        return container

    @property
    def codec(self) -> Codec[Any, Any]:
        """The codec of the archive's model, loaded once.

        Raises:
            ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
            ContainerError: the archive asks for what its model does not have.
        """
        if self._codec is None:
            from vqc.archive.model import codec_of_archive

            self._codec = codec_of_archive(self.header, self.device)
        return self._codec

    def close(self) -> None:
        """Let go of the file and the model."""
        self._file.close()
        self._codec = None

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_codec": None, "_held": {}}

    def __repr__(self) -> str:
        return f"Archive({self.path!r}, {len(self):,} items)"

    def _item(self, index: int, entry: Entry) -> ArchivedItem:
        return ArchivedItem(self, index, entry.name, entry.label, entry.shape, entry.length)

    def _entry(self, index: int) -> Entry:
        block = bisect_right(self._ends, index)
        return self._directory(block)[index - self._ends[block]]  # counted from the end of the block

    def _directory(self, block: int) -> list[Entry]:
        """The directory of a block; of many only those used last are held."""
        entries = self._held.pop(block, None) or self._file.entries(self._map.places[block], self.header.codec)
        self._held[block] = entries
        if len(self._held) > _DIRECTORIES:
            del self._held[next(iter(self._held))]
        return entries


def open_archive(path: str | os.PathLike[str], *, device: str = "auto", limit: int | None = None) -> Archive:
    """Open an archive: a sequence of items, which are read when they are asked for.

    An archive that is cut short, or being written, has the items that are whole; a warning (`ArchiveWarning`) says so.

    Args:
        path: of the `.vqca` file.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1": where items are decoded.
        limit: largest number of pixels or of samples per channel of an item to believe; see `vqc.decompress`.

    Raises:
        MediaError: the file cannot be read.
        ContainerError: it is no archive, or its header is damaged.
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionError(f"an archive is given by path, not as {type(path).__name__}")
    try:
        archive = Archive(path, device=device, limit=limit)
    except ContainerError as error:
        raise ContainerError(f"{os.fspath(path)}: {error}") from error
    if archive.problem:
        warnings.warn(ArchiveWarning(f"{os.fspath(path)}: {archive.problem}"), stacklevel=2)
    return archive
