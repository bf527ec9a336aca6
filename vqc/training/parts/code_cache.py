"""Codes of a whole training set, encoded once and kept on disk for the training of priors.

    <cache>/vqc/codes-4/<model>-<data>-q<quality>/training.bin     uint16 codes of all streams, end to end
                                                  training.npy     int64 [N, 2 + axes]: item, values, size of the grid
                                                  validation.bin, validation.npy

(…-q<quality>-v<views> where there are several views of each training item, …-p<side> where images are cut to pieces.)

A stream is what a file of this item would hold as one: a tile of 1,024 pixels of an image, a chunk of a recording, each
encoded with its surroundings (see `vqc.format`) at the default effort. (Those of a photo of several tiles are chosen
with the search of a photo of one, and differ from those of its file in one code of 200.) Codes are as they come, which
is what priors predict; symbols for the static tables are made of whole streams. Small data sets are worth more views
than one: an image that is mirrored, or shifted by less than a code, has other codes. Large photos are worth less than
that: a piece of each, shrunk or not, tells as much in a fraction of the time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.data.batches import varied_square
from vqc.data.derived import Progress, make_once
from vqc.format.chunking import cut
from vqc.format.spans import Span
from vqc.format.tiling import Tiling, padded_window
from vqc.models.base import AudioModel, ImageModel
from vqc.models.files.checkpoint import LoadedModel
from vqc.models.files.header import codec_digest
from vqc.training.parts.frozen_codec import FrozenCodec
from vqc.training.sampling import batches_of_one_shape
from vqc.user_folders import user_cache

FOLDER = "codes-4"  # in the cache; what folders of other numbers hold was made or named otherwise
PARTS = ("training", "validation")
_BATCH_VALUES = 1 << 20  # samples or pixel values of a batch of the encoder, unless one stream has more

Float32Array = NDArray[np.float32]
Codes = NDArray[np.uint16]


class _Data(Protocol):
    @property
    def digest(self) -> str: ...
    @property
    def training(self) -> Sequence[int]: ...
    @property
    def validation(self) -> Sequence[int]: ...


class ImageData(_Data, Protocol):
    """Images by number, with their split; the digest stands for all of it."""

    def image(self, i: int) -> NDArray[np.uint8]:
        """uint8 [H, W, 3]."""


class AudioData(_Data, Protocol):
    """Recordings at the model's sample rate by number, with their split; the digest stands for all of it."""

    def waveform(self, i: int) -> Float32Array:
        """float32 [T] in [-1, 1]."""


class CodeStreams:
    """The streams of one part of a training set at one quality, mapped into memory.

    items: of the data, which each stream belongs to, int64 [N].
    values: how many samples or pixel values each stands for, int64 [N].
    grids: their sizes, int64 [N, 1 or 2].
    """

    def __init__(self, folder: Path, part: str, groups: int) -> None:
        index = np.load(folder / f"{part}.npy", allow_pickle=False)
        self.items, self.values, self.grids = index[:, 0], index[:, 1], index[:, 2:]
        self._data = np.memmap(folder / f"{part}.bin", dtype=np.uint16, mode="r")
        self.groups, self.positions = groups, self.grids.prod(1)
        self._ends = np.cumsum(self.positions) * groups
        if self._data.size != self._ends[-1]:
            raise ValueError("cut short")

    def __len__(self) -> int:
        return len(self.items)

    def shape(self, i: int) -> tuple[int, ...]:
        """Shape of the codes of a stream: (G, h, w) or (G, T)."""
        return self.groups, *self.grids[i].tolist()

    def __getitem__(self, i: int) -> Codes:
        """Codes uint16 [G, h, w] or [G, T] of a stream."""
        end, size = int(self._ends[i]), int(self.positions[i]) * self.groups
        return self._data[end - size : end].reshape(self.shape(i))


class CachedCodes(NamedTuple):
    """Both parts at one quality."""

    training: CodeStreams
    validation: CodeStreams


def digest_for_codes(loaded: LoadedModel) -> str:
    """The digest (hex) of all that codes of a model depend on: with its prior where a search may ask that."""
    return loaded.info.digest if loaded.model.default_effort else codec_digest(loaded.info.path)


def open_codes(
    model: ImageModel | AudioModel,
    digest: str,
    data: ImageData | AudioData,
    quality: int,
    *,
    views: int = 1,
    piece: int = 0,
    progress: Progress | None = None,
) -> CachedCodes:
    """Open the codes of all items; encode them, the first time.

    Args:
        model: images are encoded by an image model, recordings by an audio model; is frozen.
        digest: of all that the codes depend on (hex): see `digest_for_codes`.
        views: of each training item.
        piece: side in pixels of a random square that is encoded of each view of an image; 0: all of it.
        progress: called with how many items are encoded and how many there are.

    Raises:
        OutputError: the cache cannot be written.
    """
    seen = f"-v{views}" * (views > 1) + f"-p{piece}" * (piece > 0)
    folder = user_cache() / FOLDER / f"{digest[:12]}-{data.digest[:32]}-q{quality}{seen}"
    groups = len(model.codebook_sizes(quality))
    return make_once(
        folder,
        read=lambda place: CachedCodes(*(CodeStreams(place, part, groups) for part in PARTS)),
        write=lambda new: _write(new, model, data, quality, views, piece, progress),
        what="codes",
    )


def _write(
    folder: Path,
    model: ImageModel | AudioModel,
    data: ImageData | AudioData,
    quality: int,
    views: int,
    piece: int,
    progress: Progress | None,
) -> None:
    """Fill a new folder."""
    parts = (data.training, data.validation)
    total, before = sum(map(len, parts)), 0
    for part, items in zip(PARTS, parts, strict=True):
        index = []
        with (folder / f"{part}.bin").open("wb") as file:
            streams = _streams(model, data, items, views if part == "training" else 1, piece, quality)
            for stream, codes in _encoded(model, streams, quality):
                file.write(np.ascontiguousarray(codes, dtype=np.uint16).data)
                index.append((stream.item, stream.values, *codes.shape[1:]))
                if progress is not None:
                    progress(before + stream.number + 1, total)
        np.save(folder / f"{part}.npy", np.array(index, dtype=np.int64))
        before += len(items)


_Cut = tuple[Float32Array, tuple[slice, ...], int]  # window, its core, values: as in `_Stream`


class _Stream(NamedTuple):
    number: int  # of the item, in its part
    item: int
    window: Float32Array  # what the model encodes: [3, H, W] or [T]
    core: tuple[slice, ...]  # the codes of the window that are this stream's
    values: int


def _encoded(
    model: ImageModel | AudioModel, streams: Iterator[_Stream], quality: int
) -> Iterator[tuple[_Stream, NDArray[np.int64]]]:
    """Streams with their codes [G, ...]."""
    frozen = FrozenCodec(model)
    for batch in batches_of_one_shape(streams, lambda stream: stream.window.shape, _BATCH_VALUES):
        signals = torch.from_numpy(np.stack([stream.window for stream in batch])).to(model.static_table.device)
        for stream, codes in zip(batch, frozen.encode_as_files_do(signals, quality).cpu().numpy(), strict=True):
            yield stream, codes[:, *stream.core]


def _streams(
    model: ImageModel | AudioModel,
    data: ImageData | AudioData,
    items: Sequence[int],
    views: int,
    piece: int,
    quality: int,
) -> Iterator[_Stream]:
    cut_of = {"image": _image_cuts, "audio": _audio_cuts}[model.media]
    for (number, item), view in itertools.product(enumerate(items), range(views)):
        for window, core, values in cut_of(model, data, item, view, piece, quality):
            yield _Stream(number, item, window, core, values)


def _image_cuts(model: Any, data: Any, item: int, view: int, piece: int, quality: int) -> Iterator[_Cut]:
    image = data.image(item)
    if piece:
        image = piece_of(image, piece, item, view, quality)
    else:
        image = _seen(image, model.downsampling_factor, view, np.random.default_rng((item, view)))
    return _tiles(image, model.downsampling_factor, model.halo)


def _audio_cuts(model: Any, data: Any, item: int, view: int, piece: int, quality: int) -> Iterator[_Cut]:
    waveform, hop = data.waveform(item), model.hop_length
    late = np.random.default_rng((item, view)).integers(max(1, min(hop, len(waveform)))) if view else 0
    return _chunks(waveform[late:], hop, model.halo)


def piece_of(image: NDArray[np.uint8], side: int, item: int, view: int, quality: int) -> NDArray[np.uint8]:
    """The square of a view of an image that is encoded in its place, always the same, of another place each quality."""
    return varied_square(image, side, np.random.default_rng((item, view, quality)).random(5))


def _seen(image: NDArray[np.uint8], factor: int, view: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """The image as it is, then mirrored, then shifted by less than a code in turn either way."""
    image = image[:, ::-1] if view % 2 else image
    if view < 2:
        return image
    most = factor - 1
    top, left = generator.integers(2 * most + 1, size=2).tolist()
    around = np.pad(image, [(most, most), (most, most), (0, 0)], mode="reflect")
    return around[top : top + image.shape[0], left : left + image.shape[1]]


def _tiles(image: NDArray[np.uint8], factor: int, halo: int) -> Iterator[_Cut]:
    height, width = image.shape[:2]
    for tile in Tiling(height, width, factor=factor, halo=halo):
        window = padded_window(image, tile, factor).transpose(2, 0, 1)  # [3, H, W]
        values = 3 * _length(tile.rows, factor, height) * _length(tile.columns, factor, width)
        yield window.astype(np.float32) / np.float32(255), (tile.rows.inner, tile.columns.inner), values


def _chunks(waveform: Float32Array, hop: int, halo: int) -> Iterator[_Cut]:
    for span, waveforms, _ in cut([waveform[:, None]], hop=hop, halo=halo):
        yield waveforms[0], (span.inner,), _length(span, hop, len(waveform))


def _length(span: Span, factor: int, limit: int) -> int:
    """Length of the part of a core that is signal and not padding."""
    return min(span.stop * factor, limit) - span.start * factor
