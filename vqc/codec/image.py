"""Pictures to `.vqc` bytes and back, tile after tile.

    pixels ─ tile ─ pad ─ model.encode ─ crop ─ codes ─ streams ─┐
    alpha ─────────────────────────────── alpha section ─────────┴─ container
    pixels ◄ round ◄ crop ◄ model.decode ◄ codes of the tile and its halo ◄ streams

Only one tile at a time is held as floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.codec.hidden_colours import without_hidden
from vqc.codec.progress import ENCODING, Meter, Progress, compressing, report_progress, within
from vqc.codec.rate import Rate
from vqc.codec.rate_control import RateController, effort_of, is_rate_choice
from vqc.codec.stream_coder import Codes, StreamCoder, write_streams
from vqc.codec.validation import check_header, check_mode, check_quality
from vqc.data.image_files import Picture
from vqc.errors import MediaError
from vqc.format.alpha import decode_alpha, encode_alpha
from vqc.format.container import (
    DIGEST_BYTES,
    MAX_PIXELS,
    Container,
    Header,
    ImageShape,
    join_streams,
    read_container,
    split_streams,
    write_container,
)
from vqc.format.tiling import Tile, Tiling, padded_window
from vqc.models.base import ImageModel
from vqc.models.kinds import KINDS
from vqc.models.search import EncoderSearch

Pixels = NDArray[np.uint8]

_READING = 2 / 3  # of the time that restoring takes


class TileStreams(NamedTuple):
    """A file's streams, one for each tile in order, and what reads them."""

    tiling: Tiling
    streams: list[bytes]
    coder: StreamCoder


class ImageCodec:
    """Compresses with, and decompresses for, one model.

    Args:
        model: on the device to work on; is put into evaluation mode.
        digest: SHA-256 of the model, as bytes; only the first six go into a file.
        name: how errors call the model.
    """

    def __init__(self, model: ImageModel, digest: bytes, *, name: str = "given") -> None:
        self.model, self.digest, self.name = model.eval(), digest[:DIGEST_BYTES], name

    @torch.inference_mode()
    def compress(
        self,
        picture: Picture,
        *,
        quality: float | None = None,
        entropy: str = "auto",
        rate: Rate = Rate(),  # noqa: B008, it is frozen
        progress: Progress | None = None,
    ) -> bytes:
        """The bytes of a complete file.

        Args:
            quality: of the model, or between two of its qualities.
            rate: what else is asked for; a size stands in place of a quality.

        Raises:
            OptionError: the model does not have this quality or entropy mode, or cannot meet the rate.
            MediaError: the picture has no pixels, or more than a file may have.
        """
        mode = check_mode(self.model, entropy, self.name)
        wanted = check_quality(self.model, quality, self.name, rate)
        height, width = picture.height, picture.width
        if not 1 <= height * width <= MAX_PIXELS:
            raise MediaError(f"the image has {width:,} x {height:,} pixels; 1 to {MAX_PIXELS:,} can be compressed")
        tiling = self._tiling(height, width)
        alpha = None if picture.alpha is None else encode_alpha(picture.alpha)
        pixels = without_hidden(picture).pixels
        shape = ImageShape(width=width, height=height, grayscale=picture.grayscale, alpha=alpha is not None)

        def searches(used: int) -> Iterator[list[EncoderSearch]]:
            for tile in tiling:
                found = self._search(pixels, tile, used)
                meter.add(ENCODING * tile.positions)
                yield [found]

        def write(used: int, codes: list[Codes]) -> bytes:
            entropy, streams = write_streams(StreamCoder(self.model, used), codes, mode, meter)
            kind = KINDS[self.model.kind].wire_id
            header = Header(codec=kind, entropy=entropy, quality=used, digest=self.digest, shape=shape)
            return write_container(Container(header=header, alpha=alpha, body=join_streams(streams)))

        size, effort = rate.bytes_of_image(height * width), effort_of(self.model, rate)
        meter = Meter(progress, compressing(tiling.positions, effort, self.model, mode, search=size is not None))
        rate_choice = is_rate_choice(self.model, wanted, rate, self.name)
        control = RateController(self.model, searches, write, meter, rate_choice=rate_choice, effort=effort)
        data = control.compress(wanted, size)
        report_progress(progress, 1.0)
        return data

    def decompress(self, data: bytes, *, limit: int | None = None, progress: Progress | None = None) -> Picture:
        """The picture of a file that was made with the same model.

        Args:
            limit: largest number of pixels to accept, 2^28 when left out.

        Raises:
            ContainerError: the file is damaged or over the limit.
            ModelNotFoundError: it was made with another model.
        """
        return self.restore(read_container(data, limit=limit), progress=progress)

    def restore(self, container: Container, *, progress: Progress | None = None) -> Picture:
        """As `decompress`, of a container already read."""
        codes = self.read_codes(container, progress=within(progress, 0, _READING))
        return self.render(codes, container, progress=within(progress, _READING, 1))

    @torch.inference_mode()
    def render(self, codes: Codes, container: Container, *, progress: Progress | None = None) -> Picture:
        """The picture of a file whose codes [G, h, w] `read_codes` has read already."""
        header = container.header
        assert isinstance(header.shape, ImageShape), "read_codes has checked it"
        shape = header.shape
        alpha = None if container.alpha is None else decode_alpha(container.alpha, shape.height, shape.width)
        pixels = np.empty((shape.height, shape.width) if shape.grayscale else (shape.height, shape.width, 3), np.uint8)
        tiling = self._tiling(shape.height, shape.width)
        for index, tile in enumerate(tiling):
            self._decode_tile(codes, tile, header.quality, pixels)
            report_progress(progress, (index + 1) / len(tiling))
        return Picture(pixels, alpha)

    def read_codes(self, container: Container, *, progress: Progress | None = None) -> Codes:
        """The whole code grid [G, h, w] of a file, without running the network; raises what `decompress` does."""
        reader, header = self.tiles(container), container.header
        grid = np.empty((len(reader.coder.sizes), *reader.tiling.grid), np.uint16)
        meter = Meter(progress, grid.size)
        for tile, stream in zip(reader.tiling, reader.streams, strict=True):
            core = grid[:, tile.rows.core, tile.columns.core]
            core[:] = reader.coder.read(stream, header.entropy, 1, core.shape[1:], done=meter.add)[0]
        return grid

    def tiles(self, container: Container) -> TileStreams:
        """The streams of a file, not read yet; raises what `decompress` does."""
        header = container.header
        check_header(header, self.model.kind, self.model.qualities, self.digest, self.name)
        assert isinstance(header.shape, ImageShape), "codec numbers of images come with sizes of images"
        tiling = self._tiling(header.shape.height, header.shape.width)
        return TileStreams(tiling, split_streams(container.body, len(tiling)), StreamCoder(self.model, header.quality))

    def _tiling(self, height: int, width: int) -> Tiling:
        return Tiling(height, width, factor=self.model.downsampling_factor, halo=self.model.halo)

    def _search(self, pixels: Pixels, tile: Tile, quality: int) -> EncoderSearch:
        """The search for the codes of the tile's core."""
        image = self._to_tensor(padded_window(pixels, tile, self.model.downsampling_factor))  # [1, 3, H, W]
        return self.model.encoder_search(image, quality, (tile.rows.inner, tile.columns.inner))

    def _decode_tile(self, codes: Codes, tile: Tile, quality: int, pixels: Pixels) -> None:
        """Writes the pixels of the tile's core."""
        factor, (rows, columns) = self.model.downsampling_factor, tile
        window = codes[None, :, rows.outer_start : rows.outer_stop, columns.outer_start : columns.outer_stop]
        image = self.model.decode(torch.from_numpy(window.astype(np.int64)).to(self._device), quality)[0]
        image = image[:, _scaled(rows.inner, factor), _scaled(columns.inner, factor)]
        core = pixels[_scaled(rows.core, factor), _scaled(columns.core, factor)]  # cut where the padding begins
        image = image[:, : core.shape[0], : core.shape[1]]
        image = image.mean(0, keepdim=True) if core.ndim == 2 else image
        levels = image.mul(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        planes = [core] if core.ndim == 2 else [core[..., channel] for channel in range(3)]
        for plane, level in zip(planes, levels, strict=True):  # four times as fast as permuting the axes
            plane[:] = level

    def _to_tensor(self, window: Pixels) -> Tensor:
        """Pixels [H, W, 3] or [H, W] as an image [1, 3, H, W] in [0, 1]."""
        image = torch.from_numpy(window).to(self._device)
        image = image.expand(3, *image.shape) if image.dim() == 2 else image.permute(2, 0, 1)
        return image[None].contiguous().to(torch.float32).div_(255)

    @property
    def _device(self) -> torch.device:
        return self.model.static_table.device


def _scaled(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)
