"""Data that models are measured on: files and folders, and the test parts of Kodak, CIFAR-10 and LibriSpeech.

    name or path ──► Benchmark: items in order ──► load ──► uint8 [H, W, 3] or float32 [T]

Nothing is decoded before it is needed, so that a folder of any size can be measured.
"""

from __future__ import annotations

import urllib.request
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.data.audio_files import read_mono
from vqc.data.cifar10 import is_cifar10, read_cifar10
from vqc.data.data_source import counted, evenly_spaced
from vqc.data.download import dataset_class, download_dataset, missing, obtain_dataset, plain_name
from vqc.data.formats import MEDIA, SUFFIXES
from vqc.data.image_files import read_image
from vqc.data.walk import files_below
from vqc.errors import MediaError, MediaWarning, OptionError, OutputError
from vqc.format.shapes import Media
from vqc.user_folders import user_cache

NAMED: Mapping[str, Media] = MappingProxyType({"kodak": "image", "cifar10": "image", "librispeech": "audio"})
KODAK_URL = "https://r0k.us/graphics/kodak/kodak/kodim{:02}.png"
KODAK_IMAGES = 24
LIBRISPEECH_SPLIT = "test-other"


class BenchmarkItem(NamedTuple):
    """One image or recording: in a file, or decoded already."""

    name: str
    path: Path | None = None
    pixels: NDArray[np.uint8] | None = None  # [H, W, 3]

    def image(self) -> NDArray[np.uint8]:
        """Colour pixels [H, W, 3], with a warning (`MediaWarning`) where transparency was left out.

        Raises:
            MediaError: the file cannot be read.
        """
        if self.pixels is not None:
            return self.pixels
        assert self.path is not None, "an item is in a file or decoded"
        picture = read_image(self.path)
        if picture.alpha is not None:
            warnings.warn(MediaWarning(f"{self.name}: is measured without its transparency"), stacklevel=2)
        return np.ascontiguousarray(picture.rgb)

    def audio(self) -> tuple[NDArray[np.float32], int]:
        """The mean of the channels, float32 [T] in [-1, 1], and its sample rate; MediaError as above."""
        assert self.path is not None, "recordings are in files"
        return read_mono(self.path)

    @property
    def bytes(self) -> int:
        """Size of the file, or of the pixels."""
        return self.path.stat().st_size if self.path is not None else int(self.image().nbytes)


@dataclass(frozen=True)
class Benchmark:
    """Items of one medium, and how captions call them."""

    __test__ = False

    title: str
    media: Media
    items: tuple[BenchmarkItem, ...]

    @property
    def description(self) -> str:
        """Such as "24 images of kodak"."""
        return f"{counted(len(self.items), self.media)} of {self.title}"

    def at_most(self, count: int | None) -> Benchmark:
        """Return the set with at most `count` of the items, evenly spaced."""
        if count is None or count >= len(self.items):
            return self
        chosen = tuple(evenly_spaced(self.items, count))
        return replace(self, items=chosen, title=f"the {len(self.items):,} of {self.title}")


def open_benchmark(
    name: str, media: Media, *, split: str | None = None, listed: Path | None = None, download: bool = False
) -> Benchmark:
    """Open an existing file or folder, else `kodak`, `cifar10` or `LibriSpeech`.

    Args:
        split: of CIFAR-10 "test" (if left out), "validation" or "train"; of a folder the folder in it.
        listed: text file with the paths to take, one below the folder a line.
        download: get a named set that is not on this machine, into ``$XDG_CACHE_HOME/vqc/datasets``.

    Raises:
        OptionError: there is no such data, split or listed file.
        MediaError: a folder in it may not be read.
        TrainingError, OutputError: a named set is not here and not to be downloaded, or that fails.
    """
    path, plain = Path(name), plain_name(name)
    if not path.exists():
        if plain not in NAMED:
            raise OptionError(f"there is no {name}; give a file, a folder, or one of {', '.join(NAMED)}")
        if NAMED[plain] != media:
            raise OptionError(
                f"{name} is {MEDIA[NAMED[plain]].plural}, but the model is for {MEDIA[media].plural}; choose another"
            )
        root = user_cache() / "datasets"
        if plain == "cifar10":
            return _official_cifar10(root, split or "test", download=download)
        if plain == "kodak":
            path = _kodak(root / "kodak", download=download)
        else:
            path, split = _librispeech(root, split or LIBRISPEECH_SPLIT, download=download), None
    if is_cifar10(path) and media == "image":
        return _cifar10(path, split or "test")
    if path.is_file():
        return Benchmark(path.name, media, (BenchmarkItem(path.name, path),))
    folder = path / split if split else path
    if not folder.is_dir():
        raise OptionError(f"there is no folder {split} in {path}; choose another --split")
    items = _listed(folder, listed) if listed is not None else _found(folder, media)
    return Benchmark(path.name if not split else f"{path.name} {split}", media, tuple(items))


def _found(folder: Path, media: Media) -> list[BenchmarkItem]:
    suffixes = SUFFIXES[media]
    files = sorted(path for path in files_below(folder) if path.suffix.lower() in suffixes)
    if not files:
        raise OptionError(f"{folder} holds no {MEDIA[media].plural}; they end in {', '.join(suffixes)}")
    return [BenchmarkItem(path.relative_to(folder).as_posix(), path) for path in files]


def _listed(folder: Path, listed: Path) -> list[BenchmarkItem]:
    try:
        names = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{listed} cannot be read as a list of files: {error}") from None
    absent = [name for name in names if not (folder / name).is_file()]
    if absent or not names:
        raise OptionError(f"{listed} names {absent[0] if absent else 'no files'}, which is not in {folder}")
    return [BenchmarkItem(name, folder / name) for name in names]


def _cifar10(folder: Path, split: str) -> Benchmark:
    data = read_cifar10(folder)
    parts = {"test": data.test, "validation": data.validation, "train": data.train}
    if split not in parts:
        raise OptionError(f"the parts of CIFAR-10 are {', '.join(parts)}, not {split}")
    return _rows(np.ascontiguousarray(parts[split].transpose(0, 2, 3, 1)), split)


def _rows(images: NDArray[np.uint8], split: str) -> Benchmark:
    items = [BenchmarkItem(f"{split} {row}", pixels=image) for row, image in enumerate(images)]
    return Benchmark(f"CIFAR-10 {split}", "image", tuple(items))


def _librispeech(root: Path, part: str, *, download: bool) -> Path:
    folder = root / "LibriSpeech" / part
    if not folder.is_dir():
        if not download:
            raise missing(f"LibriSpeech {part}", root)
        download_dataset(
            dataset_class("torchaudio", "LIBRISPEECH", "LibriSpeech"), root, {"url": part}, title="LibriSpeech"
        )
    return folder


def _official_cifar10(root: Path, split: str, *, download: bool) -> Benchmark:
    """The images that torchvision has, or gets."""
    if split not in ("test", "train"):
        raise OptionError(f"the parts of the whole CIFAR-10 are test and train, not {split}")
    kind, arguments = dataset_class("torchvision", "CIFAR10", "CIFAR-10"), {"train": split == "train"}
    opened = obtain_dataset(kind, root, arguments, title="CIFAR-10", download=download)
    return _rows(np.asarray(opened.data), split)


def _kodak(folder: Path, *, download: bool) -> Path:
    """The 24 images as PNG."""
    names = [f"kodim{i:02}.png" for i in range(1, KODAK_IMAGES + 1)]
    absent = [i for i, name in enumerate(names, 1) if not (folder / name).is_file()]
    if absent and not download:
        raise missing("Kodak", folder)
    for i in absent:
        _fetch(KODAK_URL.format(i), folder / names[i - 1])
    return folder


def _fetch(url: str, path: Path) -> None:
    """One file from the network, whole or not at all."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            data = response.read()
    except OSError as error:
        raise MediaError(f"{url} cannot be downloaded: {error}; check the network and try again") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None


def thumbnails(items: Sequence[BenchmarkItem], side: int) -> tuple[BenchmarkItem, ...]:
    """Three squares of each image (its beginning, middle and end), scaled down to `side` pixels."""
    from PIL import Image

    made = []
    for item in items:
        picture = Image.fromarray(item.image())
        width, height = picture.size
        size = min(width, height)
        for place in range(3):
            left, top = (width - size) * place // 2, (height - size) * place // 2
            square = picture.crop((left, top, left + size, top + size))
            pixels = np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
            made.append(BenchmarkItem(f"{item.name} {place + 1}", pixels=pixels))
    return tuple(made)


def media_of_data(name: str) -> tuple[Media, bool]:
    """Return the medium of data by its name, and whether it is CIFAR-10; OptionError when it has none."""
    path, plain = Path(name), plain_name(name)
    if not path.exists() and plain in NAMED:
        return NAMED[plain], plain == "cifar10"
    if is_cifar10(path):
        return "image", True
    for file in [path] if path.is_file() else files_below(path):
        for media, suffixes in SUFFIXES.items():
            if file.suffix.lower() in suffixes:
                return media, False
    raise OptionError(f"there are no images or audio files in {name}; give a file, a folder, or {', '.join(NAMED)}")
