"""Training sets as they are trained on: items by number, mapped into memory, with their split and their probabilities.

names or folders → sources → sets in the cache → ImageDataset | AudioDataset
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.data.data_source import DataSource, counted
from vqc.data.decode_cache import DecodedSet, open_decoded
from vqc.data.derived import Progress
from vqc.data.formats import MEDIA
from vqc.data.public_datasets import audio_source, image_source
from vqc.data.validation_split import split
from vqc.errors import TrainingError
from vqc.format.shapes import Media
from vqc.user_folders import user_cache

UInt8Array = NDArray[np.uint8]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


class MemmapDataset:
    """Base of image and audio datasets.

    names: of all items that could be decoded.
    labels: their classes; empty texts where a set tells none.
    training, validation: their indices.
    probabilities: of each training item to be drawn, float64 [len(training)]; None when all have the same.
    skipped: name and reason of what could not be decoded.
    notes: sentences the user should see.
    source_of: which of the sources each item is from, int64 [N].
    digest: stands for the contents, order and split.
    """

    media: Media

    def __init__(self, sources: Sequence[DataSource], sets: Sequence[DecodedSet]) -> None:
        assert len(sources) == len(sets) > 0
        self.sets = list(sets)
        self.title = " + ".join(source.title for source in sources)
        items = [item for decoded in sets for item in decoded.items]
        self.names = [item.name for item in items]
        self.labels = [item.label for item in items]
        self.training, self.validation = split(*(decoded.items for decoded in sets))
        self.skipped = [entry for decoded in sets for entry in decoded.skipped]
        self.notes = (*(note for source in sources for note in source.notes), *self._skipped_note())
        digests = [decoded.folder.name.encode() for decoded in sets]
        rows = np.array(self.validation, dtype="<i8").tobytes()
        self.digest = hashlib.sha256(b" ".join([*digests, rows])).hexdigest()
        self.probabilities = self._probabilities()
        counts = [len(decoded.items) for decoded in sets]
        self.source_of = np.repeat(np.arange(len(sets)), counts)
        self._first = np.cumsum([0, *counts])  # index of the first item of each set
        self._starts = [np.concatenate([[0], np.cumsum(self._lengths(decoded))]) for decoded in sets]

    @property
    def bytes(self) -> int:
        """Size of the decoded data."""
        return sum(decoded.data.nbytes for decoded in self.sets)

    @property
    def folder(self) -> Path:
        """A folder of the cache for what is derived from this data set, such as codes or pitch."""
        folder = user_cache() / "derived" / self.digest[:32]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def exclude(self, text: str) -> None:
        """Drop training items with this in their names, unless it is empty; TrainingError where none is left."""
        if not text:
            return
        stays = np.array([text not in self.names[i] for i in self.training])
        if not stays.any():
            raise TrainingError(f"all training {MEDIA[self.media].plural} of {self.title} have {text!r} in their names")
        self.training = [i for i, stay in zip(self.training, stays.tolist(), strict=True) if stay]
        self.digest = hashlib.sha256(f"{self.digest} without {text}".encode()).hexdigest()
        self.probabilities = self._probabilities()

    @property
    def description(self) -> str:
        """Description of the data for a caption."""
        return (
            f"{self.title} ({counted(len(self.training), self.media)} for training,"
            f" {len(self.validation):,} for validation)"
        )

    def _lengths(self, decoded: DecodedSet) -> NDArray[np.int64]:
        """Numbers that each item takes in its set."""
        lengths: NDArray[np.int64] = decoded.shapes.prod(1)
        return lengths

    def _weights(self, decoded: DecodedSet) -> Float64Array:
        """Return weights of items, 1 on average in training: each set is drawn in proportion to its number of items."""
        trained = [item.weight for item in decoded.items if item.part != "validation"]
        return np.array([item.weight for item in decoded.items]) / (np.mean(trained) if trained else 1.0)

    def _probabilities(self) -> Float64Array | None:
        weights = np.concatenate([self._weights(decoded) for decoded in self.sets])[self.training]
        return None if (weights == weights[0]).all() else weights / weights.sum()

    def _skipped_note(self) -> tuple[str, ...]:
        if not self.skipped:
            return ()
        tried = counted(len(self.skipped) + len(self.names), self.media)
        return (f"{len(self.skipped):,} of {tried} left out as unreadable; the first: {self.skipped[0][1]}",)

    def _place(self, i: int) -> tuple[DecodedSet, int, int, int]:
        """Return the set of an item, its row there, and where it starts and ends in the data of the set."""
        which = int(self.source_of[i])
        row = i - int(self._first[which])
        starts = self._starts[which]
        return self.sets[which], row, int(starts[row]), int(starts[row + 1])


class ImageDataset(MemmapDataset):
    """Images of any sizes."""

    media: Media = "image"

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Heights and widths [N, 2]."""
        return np.concatenate([decoded.shapes for decoded in self.sets])

    def image(self, i: int) -> UInt8Array:
        """One image, uint8 [H, W, 3], as a view of the mapped file."""
        decoded, row, start, end = self._place(i)
        height, width = decoded.shapes[row].tolist()
        pixels: UInt8Array = decoded.data[start:end].reshape(height, width, 3)
        return pixels

    def _lengths(self, decoded: DecodedSet) -> NDArray[np.int64]:
        return super()._lengths(decoded) * 3


class AudioDataset(MemmapDataset):
    """Mono recordings of one sample rate, drawn in proportion to their length."""

    media: Media = "audio"

    def __init__(self, sources: Sequence[DataSource], sets: Sequence[DecodedSet], sample_rate: int) -> None:
        super().__init__(sources, sets)
        self.sample_rate = sample_rate

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each item [N]."""
        return np.concatenate([decoded.shapes[:, 0] for decoded in self.sets])

    @property
    def seconds(self) -> float:
        """Duration of all items together."""
        return float(self.lengths.sum()) / self.sample_rate

    def waveform(self, i: int) -> Float32Array:
        """One recording, float32 [T] in [-1, 1]."""
        return self.cut(i, 0, int(self.lengths[i]))

    def cut(self, i: int, start: int, length: int) -> Float32Array:
        """A part of a recording, float32 [length]; zeros follow where the recording has ended."""
        decoded, _, first, end = self._place(i)
        samples = decoded.data[first + start : min(first + start + length, end)]
        result = np.zeros(length, dtype=np.float32)
        np.multiply(samples, np.float32(2**-15), out=result[: len(samples)])
        return result

    def _weights(self, decoded: DecodedSet) -> Float64Array:
        return super()._weights(decoded) * decoded.shapes[:, 0]

    def _probabilities(self) -> Float64Array | None:
        weights = np.concatenate([self._weights(decoded) for decoded in self.sets])[self.training]
        probabilities: Float64Array = weights / weights.sum()
        return probabilities


def open_images(
    sources: Sequence[str], *, download: bool = False, root: Path | None = None, progress: Progress | None = None
) -> ImageDataset:
    """Images of folders, of CIFAR-10 files, or of sets that torchvision knows by name, decoded once.

    Args:
        sources: folders or names such as "cifar10".
        download: get named sets that are not on this machine.
        root: where named sets lie; ``$XDG_CACHE_HOME/vqc/datasets`` when left out.
        progress: called with (decoded, all) while a set is decoded for the first time.

    Raises:
        TrainingError: no such folder or set, nothing to train on, or nothing to hold out.
        OutputError: the cache cannot be written.
    """
    found = [image_source(name, download=download, root=root) for name in sources]
    return ImageDataset(found, [open_decoded(source, "image", progress) for source in found])


def open_audio(
    sources: Sequence[str],
    sample_rate: int,
    *,
    download: bool = False,
    root: Path | None = None,
    progress: Progress | None = None,
) -> AudioDataset:
    """Recordings of folders or of sets that torchaudio knows by name, mono at `sample_rate` in Hz, decoded once.

    Arguments and errors are those of `open_images`.
    """
    found = [audio_source(name, sample_rate, download=download, root=root) for name in sources]
    return AudioDataset(found, [open_decoded(source, "audio", progress) for source in found], sample_rate)
