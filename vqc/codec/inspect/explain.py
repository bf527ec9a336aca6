"""Where the bits of a `.vqc` file go, and what it would take with another entropy mode.

    file ─ streams ─ read ─┬─ bits of each code ─┬─ sums by kind of code map
                           │                     └─ sums by place: blocks of an image, seconds of audio
                           └─ codes ─ written with each mode ─ bytes

Nothing but the codes is read: no network of the autoencoder runs, and there are no pixels or samples.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.codec.audio import AudioCodec
from vqc.codec.image import ImageCodec, TileStreams
from vqc.codec.segments import read_pieces, streams_of
from vqc.format.container import (
    AudioShape,
    Container,
    Entropy,
    ImageShape,
    join_streams,
    read_container,
    write_container,
)

Bits = NDArray[np.float64]

_BAR_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # and whole hours


@dataclass(frozen=True, kw_only=True)
class KindBits:
    """The code maps of one kind, and what they take."""

    label: str  # as `CodecModel.describe_groups` calls them
    codes: int
    bits: float

    @property
    def bits_per_code(self) -> float:
        """The mean; 0 where there is no code."""
        return self.bits / max(1, self.codes)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageBits:
    """What the codes take at each place of an image."""

    blocks: Bits  # [h, w]
    block: int  # pixels per side of a block; those at the right and bottom may reach beyond the image
    height: int  # of the image in pixels
    width: int

    @property
    def per_pixel(self) -> Bits:
        """The same in bits per pixel [h, w]."""
        return self.blocks / self.block**2


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioBits:
    """What the codes take at each time of a recording, all channels together."""

    seconds: Bits  # [n], second after second; the last may be shorter

    def bars(self, most: int) -> tuple[int, Bits]:
        """The same in at most so many bars: seconds of each, and bits [bars]."""
        hours = 3600 * -(-len(self.seconds) // (3600 * most))
        width = next((width for width in _BAR_SECONDS if len(self.seconds) <= most * width), hours)
        return width, np.add.reduceat(self.seconds, np.arange(0, len(self.seconds), width))


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Where the bits of a file go. `code_bits` is information: what the coder loses is among `other_bits`."""

    entropy: Entropy
    kinds: tuple[KindBits, ...]
    where: ImageBits | AudioBits
    bytes: int  # of the whole file
    alpha_bytes: int

    @property
    def code_bits(self) -> float:
        """Bits of all codes."""
        return sum(kind.bits for kind in self.kinds)

    @property
    def other_bits(self) -> float:
        """Bits of the header and the checksums, and what the coder loses."""
        return 8 * (self.bytes - self.alpha_bytes) - self.code_bits


def explanation_of(codec: ImageCodec | AudioCodec, data: bytes) -> Explanation:
    """Where the bits of a file go that was made with the codec's model; raises what its `decompress` does."""
    container = read_container(data)
    header = container.header
    reader = streams_of(codec, container)
    groups = len(reader.coder.sizes)
    grid = reader.tiling.grid if isinstance(reader, TileStreams) else (reader.chunking.frames,)
    places, bits, codes = np.zeros(grid), np.zeros(groups), 0
    for piece in read_pieces(reader, header.entropy):
        bits += piece.costs.sum(axis=(0, *range(2, piece.costs.ndim)), dtype=np.float64)
        places[piece.place] = piece.costs.sum(axis=(0, 1), dtype=np.float64)
        codes += piece.codes.size // groups
    kinds, first = [], 0
    for label, count in codec.model.describe_groups(header.quality):
        kinds.append(KindBits(label=label, codes=count * codes, bits=float(bits[first : first + count].sum())))
        first += count
    assert first == groups, "each group is of a kind"
    return Explanation(
        entropy=header.entropy,
        kinds=tuple(kinds),
        where=_where(codec, places, header.shape),
        bytes=len(data),
        alpha_bytes=0 if container.alpha is None else len(container.alpha),
    )


def bytes_by_mode(codec: ImageCodec | AudioCodec, container: Container) -> dict[Entropy, int | None]:
    """The length of the file with each entropy mode, the one it has among them; None for a mode that its model lacks.

    Raises what the codec's `decompress` does.
    """
    reader, used = streams_of(codec, container), container.header.entropy
    bodies: dict[Entropy, list[bytes]] = {mode: [] for mode in reader.coder.modes}
    for piece in read_pieces(reader, used):
        for mode, body in bodies.items():
            codes = piece.stream if mode == used else reader.coder.write(piece.codes, mode)
            body.append(piece.silence + codes)
    lengths: dict[Entropy, int | None] = dict.fromkeys(("prior", "static", "none"))
    for mode, body in bodies.items():
        header = dataclasses.replace(container.header, entropy=mode)
        lengths[mode] = len(write_container(dataclasses.replace(container, header=header, body=join_streams(body))))
    return lengths


def _where(codec: ImageCodec | AudioCodec, places: Bits, shape: ImageShape | AudioShape) -> ImageBits | AudioBits:
    if isinstance(codec, ImageCodec):
        assert isinstance(shape, ImageShape), "the reader has compared the medium"
        return ImageBits(blocks=places, block=codec.model.downsampling_factor, height=shape.height, width=shape.width)
    assert isinstance(shape, AudioShape), "the reader has compared the medium"
    return AudioBits(seconds=_by_second(places, codec.model.hop_length / codec.model.sample_rate, shape))


def _by_second(frames: Bits, frame_seconds: float, shape: AudioShape) -> Bits:
    """Bits of frames to bits of seconds, shared where a frame lies in two; padding counts to the last."""
    borders = np.arange(len(frames) + 1) * frame_seconds
    edges = np.arange(-(-shape.samples // shape.sample_rate) + 1, dtype=np.float64)
    edges[-1] = max(edges[-1], borders[-1])
    return np.diff(np.interp(edges, borders, np.concatenate([[0], np.cumsum(frames)])))
