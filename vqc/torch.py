"""Archives as data sets of PyTorch.

from torch.utils.data import DataLoader
from vqc.torch import CodesDataset

data = CodesDataset("set.vqca")                        # or several archives, one after the other
for codes, label, name in DataLoader(data, batch_size=64, num_workers=2, shuffle=True):
    ...                                                # codes int64 [64, G, h, w]
"""

from __future__ import annotations

import os
import pathlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vqc.archive.reader import Archive, open_archive
from vqc.codec.media import Audio, Image
from vqc.errors import OptionError

Path = str | os.PathLike[str]


class CodedItem(NamedTuple):
    """An item of a data set.

    codes: int64 [G, h, w] of an image, [G, T] of sound, [C, G, T] of sound of several channels (-1: silent there); or,
        decoded, uint8 [C, H, W] or float32 [C, T] in [-1, 1].
    label: its number among the labels of the data set.
    name: in its archive.
    """

    codes: Tensor
    label: int
    name: str


def _archives_in(path: Path) -> Sequence[Path]:
    """The archives in a folder, in order of name; another path is one itself."""
    folder = pathlib.Path(path)
    return sorted(folder.glob("*.vqca")) if folder.is_dir() else [path]


class CodesDataset(Dataset[CodedItem]):
    """The items of archives, for a `DataLoader` with any number of workers, forked or spawned.

    A loader asks for a batch at once, and items of one shape in it are read together. Archives with a prior are read
    some ten items in the time of a hundred without: see docs/archives.md.

    Args:
        path_or_paths: an archive, or several of one model and quality; or a folder of them.
        decode: give images or sound instead of codes.
        device: where items are decoded; workers of a loader can have the CPU alone.

    Raises:
        MediaError, ContainerError: an archive cannot be read.
        OptionError: the archives are of different models or qualities.
    """

    def __init__(self, path_or_paths: Path | Sequence[Path], *, decode: bool = False, device: str = "cpu") -> None:
        paths = [path_or_paths] if isinstance(path_or_paths, str | os.PathLike) else list(path_or_paths)
        paths = [file for path in paths for file in _archives_in(path)]
        if not paths:
            raise OptionError("a data set needs an archive, and none is given")
        self.archives: list[Archive] = [open_archive(path, device=device) for path in paths]
        self.decode = decode
        header = self.archives[0].header
        for archive in self.archives:
            if (archive.header.digest, archive.header.quality) != (header.digest, header.quality):
                raise OptionError(
                    f"{archive.path}: is of another model or quality than {self.archives[0].path}; their codes do not "
                    "mean the same"
                )
        self._ends = list(accumulate(map(len, self.archives)))
        self.labels = sorted({label for archive in self.archives for label in archive.labels})
        self._numbers = {label: number for number, label in enumerate(self.labels)}

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> CodedItem:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[CodedItem]:
        """The items of a batch, as a `DataLoader` asks for them."""
        places = [self._place(range(len(self))[int(index)]) for index in indices]
        found: list[CodedItem | None] = [None] * len(places)
        for number, archive in enumerate(self.archives):
            rows = [row for row, place in enumerate(places) if place[0] == number]
            wanted = [places[row][1] for row in rows]
            for row, item, tensor in zip(rows, (archive[i] for i in wanted), self._read(archive, wanted), strict=True):
                found[row] = CodedItem(tensor, self._numbers[item.label], item.name)
        return [item for item in found if item is not None]

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Entries of each group's codebook: codes of group g are 0 to `codebook_sizes[g]` - 1."""
        archive = self.archives[0]
        return archive.codec.model.codebook_sizes(archive.header.quality)

    def _place(self, index: int) -> tuple[int, int]:
        """The archive of an item, and its index there."""
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number] - len(self.archives[number]))

    def _read(self, archive: Archive, indices: Sequence[int]) -> list[Tensor]:
        if self.decode:
            return [_tensor(media) for media in archive.decode(indices)]
        return [torch.from_numpy(codes) for codes in archive.codes(indices)]


def _tensor(media: Image | Audio) -> Tensor:
    """Channels first: uint8 [C, H, W] or float32 [C, T]."""
    return torch.from_numpy(np.ascontiguousarray(media.channels_first))
