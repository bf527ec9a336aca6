"""What is exported of an item: its codes, or what it restores to, as an array or as the bytes of a file.

codes            uint16 [G, h, w] of an image; int32 [G, T] of sound, or [C, G, T], -1 where a channel is silent
image, audio     as an array: uint8 [H, W], or [H, W, 2 to 4]; float32 [T], or [T, C]. Or the bytes of a PNG, a WAV ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.archive.extract import stem_of
from vqc.archive.reader import Archive
from vqc.codec.batches import restore_each
from vqc.codec.files import FILES
from vqc.codec.media import Audio, Image
from vqc.data.formats import written_as
from vqc.format.shapes import ImageShape, Shape

Array = NDArray[Any]


class ArrayContent(ABC):
    """Arrays of which shape and type are known before an item is read."""

    name: str  # of a column, an array, files
    compressed: bool  # whether deflating makes them smaller

    @abstractmethod
    def shape(self, archive: Archive, shape: Shape) -> tuple[int, ...]:
        """The shape of the array of an item."""

    @abstractmethod
    def dtype(self, archive: Archive) -> np.dtype[Any]:
        """The type of all arrays of an archive."""

    @abstractmethod
    def read(self, archive: Archive, indices: Sequence[int]) -> list[Array]:
        """The arrays of items; ContainerError when one is damaged."""


@dataclass(frozen=True)
class Codes(ArrayContent):
    """Codes."""

    name = "codes"
    compressed = True

    def shape(self, archive: Archive, shape: Shape) -> tuple[int, ...]:
        codec = archive.codec
        one = len(codec.model.codebook_sizes(archive.header.quality)), *codec.framing.segments(shape).grid
        return one if shape.items == 1 else (shape.items, *one)

    def dtype(self, archive: Archive) -> np.dtype[Any]:
        return np.dtype(np.uint16 if archive.media == "image" else np.int32)

    def read(self, archive: Archive, indices: Sequence[int]) -> list[Array]:
        return [codes.astype(self.dtype(archive)) for codes in archive.codes(indices)]


@dataclass(frozen=True)
class Decoded(ArrayContent):
    """Pixels or samples."""

    name: str
    compressed = False

    def shape(self, archive: Archive, shape: Shape) -> tuple[int, ...]:
        if isinstance(shape, ImageShape):
            channels = (1 if shape.grayscale else 3) + shape.alpha
            return (shape.height, shape.width, channels)[: 2 if channels == 1 else 3]
        return (shape.samples,) if shape.channels == 1 else (shape.samples, shape.channels)

    def dtype(self, archive: Archive) -> np.dtype[Any]:
        return np.dtype(np.uint8 if archive.media == "image" else np.float32)

    def read(self, archive: Archive, indices: Sequence[int]) -> list[Array]:
        return [_array(media) for media in archive.decode(indices)]


@dataclass(frozen=True)
class Files:
    """The bytes of files with a suffix, as `vqc archive extract` writes them."""

    name: str
    suffix: str

    def path(self, name: str) -> str:
        """The path of the file of an item."""
        return stem_of(name) + self.suffix

    def read(self, archive: Archive, indices: Sequence[int]) -> list[bytes]:
        """The files of items.

        Raises:
            ContainerError: an item is damaged.
            OutputError: the format cannot hold it.
        """
        files, made = FILES[archive.media], list[bytes]()
        containers = [archive.container(index) for index in indices]
        restored = restore_each(archive.codec, containers)
        for index, container, one in zip(indices, containers, restored, strict=True):
            name, shape = self.path(archive[index].name), container.header.shape
            file_format = files.format_for(name, written_as(archive.media)[self.suffix], shape)
            made.append(files.encode(one, shape, file_format, name))
        return made


Content = Codes | Decoded | Files


def _array(media: Image | Audio) -> Array:
    """Pixels [H, W, ...] or samples, of a single channel [T]."""
    if isinstance(media, Image):
        return media.array
    return media.samples[:, 0] if media.samples.shape[1] == 1 else media.samples
