"""Data by name: a folder, the files of CIFAR-10, or a set of torchvision or torchaudio."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.data.cifar10 import cifar10_source, is_cifar10
from vqc.data.data_source import Contents, DataItem, DataSource, Split
from vqc.data.derived import exclusive
from vqc.data.download import dataset_class, download_dataset, missing, obtain_dataset, plain_name
from vqc.data.image_files import from_pillow
from vqc.data.media_folders import audio_folder, image_folder
from vqc.errors import MediaError, TrainingError
from vqc.format.shapes import Media
from vqc.user_folders import user_cache


class ImageSet(NamedTuple):
    """A class of torchvision.datasets, and the arguments with which it gives what is trained on and validated with.

    Without arguments for validation, the hash takes that from the training images. Test images are never asked for.
    """

    title: str
    kind: str
    training: Mapping[str, Any]
    validation: Mapping[str, Any] | None = None


class AudioSet(NamedTuple):
    """A class of torchaudio.datasets, its arguments, and the folder below the root in which it then lies."""

    title: str
    kind: str
    arguments: Mapping[str, Any]
    folder: str


def _image_sets() -> dict[str, ImageSet]:
    train, val, valid = {"split": "train"}, {"split": "val"}, {"split": "valid"}
    return {
        "cifar10": ImageSet("CIFAR-10", "CIFAR10", {"train": True}),
        "cifar100": ImageSet("CIFAR-100", "CIFAR100", {"train": True}),
        "mnist": ImageSet("MNIST", "MNIST", {"train": True}),
        "fashionmnist": ImageSet("Fashion-MNIST", "FashionMNIST", {"train": True}),
        "svhn": ImageSet("SVHN", "SVHN", train),
        "stl10": ImageSet("STL-10", "STL10", {"split": "train+unlabeled"}),
        "flowers102": ImageSet("Flowers102", "Flowers102", train, val),
        "food101": ImageSet("Food-101", "Food101", train),
        "imagenette": ImageSet("Imagenette", "Imagenette", train | {"size": "320px"}, val | {"size": "320px"}),
        "dtd": ImageSet("DTD", "DTD", train, val),
        "eurosat": ImageSet("EuroSAT", "EuroSAT", {}),
        "oxfordiiitpet": ImageSet("Oxford-IIIT Pet", "OxfordIIITPet", {"split": "trainval"}),
        "country211": ImageSet("Country211", "Country211", train, valid),
        "fgvcaircraft": ImageSet("FGVC Aircraft", "FGVCAircraft", train, val),
    }


def _audio_sets() -> dict[str, AudioSet]:
    def part(corpus: str, name: str) -> AudioSet:
        return AudioSet(f"{corpus} {name}", corpus.upper(), {"url": name}, f"{corpus}/{name}")

    return {
        "librispeech": part("LibriSpeech", "train-clean-100"),
        "librispeech360": part("LibriSpeech", "train-clean-360"),
        "librispeech500": part("LibriSpeech", "train-other-500"),
        "libritts": part("LibriTTS", "train-clean-100"),
        "ljspeech": AudioSet("LJSpeech", "LJSPEECH", {}, "LJSpeech-1.1/wavs"),
        "vctk": AudioSet("VCTK", "VCTK_092", {}, "VCTK-Corpus-0.92"),
        "speechcommands": AudioSet("SpeechCommands", "SPEECHCOMMANDS", {}, "SpeechCommands/speech_commands_v0.02"),
        "yesno": AudioSet("YesNo", "YESNO", {}, "waves_yesno"),
    }


IMAGE_SETS: Mapping[str, ImageSet] = MappingProxyType(_image_sets())
AUDIO_SETS: Mapping[str, AudioSet] = MappingProxyType(_audio_sets())


def image_source(name: str, *, download: bool, root: Path | None) -> DataSource:
    """The images that the user calls so: an existing folder, else a set by its name.

    Raises:
        TrainingError: it is neither, or it is not on this machine and not to be downloaded.
    """
    if is_cifar10(Path(name)):
        return cifar10_source(Path(name))
    if Path(name).exists() or (found := IMAGE_SETS.get(plain_name(name))) is None:
        return image_folder(_folder(name, "image"))
    folder = root or user_cache() / "datasets"
    identity = f"torchvision {found.kind} {dict(found.training)} {dict(found.validation or {})}"
    return DataSource(found.title, identity, lambda: _image_contents(found, folder, download=download))


def audio_source(name: str, sample_rate: int, *, download: bool, root: Path | None) -> DataSource:
    """The recordings that the user calls so, at `sample_rate` in Hz; see `image_source`."""
    if Path(name).exists() or (found := AUDIO_SETS.get(plain_name(name))) is None:
        return audio_folder(_folder(name, "audio"), sample_rate)
    folder = root or user_cache() / "datasets"
    if not (folder / found.folder).is_dir():
        if not download:
            raise missing(found.title, folder)
        kind = dataset_class("torchaudio", found.kind, found.title)
        with exclusive(folder, found.kind):
            if not (folder / found.folder).is_dir():
                download_dataset(kind, folder, found.arguments, title=found.title)
    return audio_folder(folder / found.folder, sample_rate, title=found.title)


def _image_contents(found: ImageSet, root: Path, *, download: bool) -> Contents:
    kind = dataset_class("torchvision", found.kind, found.title)
    marked: Split | None = "training" if found.validation is not None else None
    wanted: list[tuple[Split | None, Mapping[str, Any]]] = [(marked, found.training)]
    if found.validation is not None:
        wanted.append(("validation", found.validation))
    parts = [
        (part, obtain_dataset(kind, root, arguments, title=found.title, download=download))
        for part, arguments in wanted
    ]
    rows = [(part, opened, row) for part, opened in parts for row in range(len(opened))]
    items = [_item(found.title, part, row) for part, _, row in rows]
    return Contents(items, lambda index: _pixels(*rows[index][1:], items[index].name))


def _item(title: str, part: Split | None, row: int) -> DataItem:
    name = f"{title}/{part or 'training'}/{row}"
    return DataItem(name, name, part)


def _pixels(opened: Any, row: int, name: str) -> NDArray[np.uint8]:
    try:
        image = opened[row][0]
    except (OSError, ValueError) as error:  # Pillow's errors of a damaged file
        raise MediaError(f"{name}: cannot be read: {error}") from error
    return from_pillow(image, name=name).rgb


def _folder(name: str, media: Media) -> Path:
    """The path, unless it is missing and looks like a name."""
    sets, others, other = (IMAGE_SETS, AUDIO_SETS, "audio") if media == "image" else (AUDIO_SETS, IMAGE_SETS, "image")
    if Path(name).exists() or os.sep in name or "/" in name:
        return Path(name)
    if plain_name(name) in others:
        raise TrainingError(f"{name} is a set for another kind of model; train on it with vqc train {other}")
    near = difflib.get_close_matches(plain_name(name), list(sets), 1)
    guess = f"did you mean {near[0]}?" if near else f"give a folder or one of {', '.join(sets)}"
    raise TrainingError(f"there is no folder {name} and no set of that name; {guess}")
