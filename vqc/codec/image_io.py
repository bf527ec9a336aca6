"""Pictures to windows of the network and back, tile after tile; image files in and out.

pixels ─ tile ─ pad ─► window ─► codes of the tile
alpha ─────────────────────────► alpha section of the container
pixels ◄ round ◄ crop ◄ network ◄ codes of the tile and its halo
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.atomic import Target, write_atomically
from vqc.codec.at_once import MOST_TILES, Item, map_at_once
from vqc.codec.choice import Choice, choose
from vqc.codec.codec import Compressed
from vqc.codec.framing import BATCH_VALUES, Cut, Framing, Result, Window, Workload, is_small
from vqc.codec.hidden_colours import seen_pixels, without_hidden
from vqc.codec.media import Image
from vqc.codec.media_files import MediaFiles, Source, Writing
from vqc.codec.picture_score import score_picture
from vqc.codec.progress import Meter, Progress, report_progress, within
from vqc.codec.segments import SegmentReader
from vqc.data.image_files import Picture, encode_image, image_format, read_image
from vqc.data.metadata import Policy, metadata_of_image
from vqc.errors import ContainerError, MediaError, OptionError
from vqc.format.alpha import decode_alpha, encode_alpha
from vqc.format.metadata import Metadata
from vqc.format.shapes import MAX_PIXELS, ImageShape, Shape
from vqc.format.tiling import Tile, Tiling, padded_window
from vqc.metrics.mse import image_mse
from vqc.models.base import ImageModel
from vqc.processors import give_back_memory

Pixels = NDArray[np.uint8]  # [H, W] or [H, W, 3]

_READING = 1 / 2  # of the time that restoring takes
_GREY = 128  # where a tile is damaged


class ImageFraming(Framing[Picture, Picture]):
    """Tiles of pictures."""

    axes = "[G, h, w] or [N, G, h, w]"
    model: ImageModel

    def __init__(self, model: ImageModel) -> None:
        super().__init__(model)
        self.factor, self.halo = model.downsampling_factor, model.halo

    def check(self, signal: Picture) -> None:
        height, width = signal.pixels.shape[:2]
        if not 1 <= height * width <= MAX_PIXELS:
            raise MediaError(f"the image has {width:,} x {height:,} pixels; 1 to {MAX_PIXELS:,} can be compressed")

    def held(self, signal: Picture) -> Picture:
        return signal

    def score(self, signal: Picture, restored: Picture, metric: str) -> float:
        return score_picture(signal, restored, metric)

    def positions(self, signal: Picture) -> float:
        height, width = (-(-side // self.factor) for side in signal.pixels.shape[:2])
        return float(height * width)

    def cut(self, signal: Picture) -> Generator[Window, None, Cut]:
        alpha = None if signal.alpha is None else encode_alpha(signal.alpha)
        pixels = without_hidden(signal).pixels
        height, width = pixels.shape[:2]
        tiles = list(Tiling(height, width, factor=self.factor, halo=self.model.encoder_halo))
        for tile in tiles:
            # uint8 until the network takes it: a fourth of floats
            yield Window(padded_window(pixels, tile, self.factor), tile.inner, tile.positions)
        shape = ImageShape(width=width, height=height, grayscale=pixels.ndim == 2, alpha=alpha is not None)
        return Cut(shape, [b""] * len(tiles), alpha)

    def batches(self, window: Window) -> Iterator[Tensor]:
        image = torch.from_numpy(window.values).to(self.device)
        image = image.expand(3, *image.shape) if image.dim() == 2 else image.permute(2, 0, 1)  # [3, H, W]
        yield image[None].contiguous().to(torch.float32).div_(255)

    def segments(self, shape: ImageShape) -> Tiling:
        return self._tiling(shape.height, shape.width)

    def join(self, reader: SegmentReader, progress: Progress | None = None) -> Picture:
        codes = reader.read_grid(within(progress, 0, _READING))  # [G, h, w]
        if len(reader) > 1:
            give_back_memory()  # of the prior, 100 MB
        return self._render(codes, reader, within(progress, _READING, 1))

    def verify(self, reader: SegmentReader) -> None:
        super().verify(reader)
        _alpha(reader)

    def workload(self, shape: ImageShape) -> Workload:
        pixels = shape.pixels
        return Workload(pixels, pixels / self.factor**2, 0.0)

    def each(self, use: Callable[[Window], Result], windows: Iterable[Window]) -> Iterable[Result]:
        return self._at_once(use, windows)

    def _at_once(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Put tiles through the networks: of a GPU one after the other."""
        return map_at_once(function, items, most=MOST_TILES if self.device.type == "cpu" else 1)

    @torch.inference_mode()
    def _render(self, codes: NDArray[np.uint16], reader: SegmentReader, progress: Progress | None) -> Picture:
        """The picture of codes [G, h, w]."""
        shape, alpha = _shape(reader), _alpha(reader)
        pixels = _no_pixels(shape)
        tiling = self.segments(shape)
        meter = Meter(progress, len(tiling))

        def restore(index: int) -> None:
            if index in reader.damaged:
                pixels[tiling.pixels(index)] = _GREY
            else:
                self._decode_tile(codes, tiling.tile(index), reader.header.quality, pixels)
            meter.add(1)

        self._at_once(restore, range(len(tiling)))
        report_progress(progress, 1.0)
        return Picture(pixels, alpha)

    def most_together(self, shape: ImageShape) -> int:
        return BATCH_VALUES // shape.pixels if is_small(shape) and len(self.segments(shape)) == 1 else 1

    def described(self, codes: NDArray[Any]) -> tuple[NDArray[Any], Shape] | None:
        if codes.ndim not in (3, 4):
            return None
        height, width = (side * self.factor for side in codes.shape[-2:])
        return codes, ImageShape(width=width, height=height)

    def gathered(self, restored: Picture, shape: ImageShape) -> Image:
        return Image.of(restored)

    @torch.inference_mode()
    def render_each(self, codes: NDArray[np.int64], readers: Sequence[SegmentReader]) -> list[Picture]:
        """The pictures of codes [B, G, h, w] of one tile each, with what else their files say."""
        images = self.model.decode(torch.from_numpy(codes).to(self.device), readers[0].header.quality)  # [B, 3, H, W]
        pictures = []
        for image, reader in zip(images, readers, strict=True):
            pixels = _no_pixels(_shape(reader))
            self._place(image, self.segments(_shape(reader)).tile(0), pixels)
            pictures.append(Picture(pixels, _alpha(reader)))
        return pictures

    def _decode_tile(self, codes: NDArray[np.uint16], tile: Tile, quality: int, pixels: Pixels) -> None:
        """Write the pixels of the tile's core, of codes [G, h, w] of the whole image."""
        rows, columns = tile
        window = codes[None, :, rows.outer_start : rows.outer_stop, columns.outer_start : columns.outer_stop]
        image = self.model.decode(torch.from_numpy(window.astype(np.int64)).to(self.device), quality)[0]
        self._place(image, tile, pixels)

    def _place(self, image: Tensor, tile: Tile, pixels: Pixels) -> None:
        """Write the pixels of the tile's core, of what the network gives for its window, [3, H, W]."""
        factor, (rows, columns) = self.factor, tile
        image = image[:, _scaled(rows.inner, factor), _scaled(columns.inner, factor)]  # [3, H, W]
        core = pixels[_scaled(rows.core, factor), _scaled(columns.core, factor)]  # cut where the padding begins
        image = image[:, : core.shape[0], : core.shape[1]]
        image = image.mean(0, keepdim=True) if core.ndim == 2 else image
        values = image.mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()  # [1 or 3, H, W]
        planes = [core] if core.ndim == 2 else [core[..., channel] for channel in range(3)]
        for plane, of_plane in zip(planes, values, strict=True):  # four times as fast as permuting the axes
            plane[:] = of_plane

    def _tiling(self, height: int, width: int) -> Tiling:
        return Tiling(height, width, factor=self.factor, halo=self.halo)


def pictures_of(framing: Framing[Any, Any]) -> ImageFraming:
    """The framing of a codec that is known to be of images."""
    assert isinstance(framing, ImageFraming), "the codec is of images"
    return framing


class ImageFiles(MediaFiles[Picture, Picture]):
    """Files of pictures."""

    def open(self, source: Source, limit: int | None) -> AbstractContextManager[tuple[Picture, Shape]]:
        picture = read_image(source, limit=limit)
        height, width = picture.pixels.shape[:2]
        return nullcontext((picture, ImageShape(width=width, height=height)))

    def in_chunks(self, signal: Picture, seconds: float) -> Picture:
        raise OptionError("an image has no chunks; leave out their seconds")

    def metadata(self, source: Source, signal: Picture, policy: Policy) -> Metadata:
        return metadata_of_image(source, policy)

    def mse(self, source: Source, signal: Picture, restored: Picture) -> float:
        return image_mse(signal.pixels, restored.pixels, seen_pixels(signal))

    def choose(
        self,
        signal: Picture,
        lossy: Callable[[], Compressed],
        choice: Choice,
        metadata: Metadata,
    ) -> Compressed:
        return choose(signal, lossy, choice, metadata)

    def format_for(self, target: Target, format: str | None, shape: Shape) -> str:
        return format or image_format(target)

    def encode(self, restored: Picture, shape: Shape, format: str, name: str) -> bytes:
        return encode_image(restored, format)

    def write(self, restored: Picture, shape: Shape, target: Target, how: Writing) -> int:
        data = encode_image(restored, how.format, how.metadata, how.quality)
        write_atomically(target, data, overwrite=how.overwrite)
        return len(data)


def _no_pixels(shape: ImageShape) -> Pixels:
    """Room for the pixels of an image."""
    return np.empty((shape.height, shape.width) if shape.grayscale else (shape.height, shape.width, 3), np.uint8)


def _scaled(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)


def _shape(reader: SegmentReader) -> ImageShape:
    return reader.header.shape.as_image


def _alpha(reader: SegmentReader) -> NDArray[np.uint8] | None:
    """The alpha plane [H, W], if the file has one."""
    shape = _shape(reader)
    try:
        return None if reader.alpha is None else decode_alpha(reader.alpha, shape.height, shape.width)
    except ContainerError:
        if not reader.salvage:
            raise
        return None
