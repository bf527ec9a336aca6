"""Where the bits of a `.vqc` file go, and what it would take with another entropy mode.

    file ─ streams ─ read ─┬─ bits of each code ─┬─ sums by kind of code map
                           │                     └─ sums by place: blocks of an image, seconds of audio
                           └─ codes ─ written with each mode ─ bytes

Nothing but the codes is read: no network of the autoencoder runs, and there are no pixels or samples.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.codec.codec import Codec
from vqc.drawing.heat_map import draw_heat_map
from vqc.format.container import ENTROPIES, Container, Entropy, Header, join_streams, write_container
from vqc.format.shapes import AudioShape

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
    """Bits of the codes by place in an image."""

    blocks: Bits  # [h, w]
    block: int  # pixels per side of a block; those at the right and bottom may reach beyond the image
    height: int  # of the image in pixels
    width: int

    @property
    def per_pixel(self) -> Bits:
        """Bits per pixel [h, w]."""
        return self.blocks / self.block**2


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioBits:
    """Bits of the codes by time in a recording, all channels together."""

    seconds: Bits  # [n], second after second; the last may be shorter

    def bars(self, most: int) -> tuple[int, Bits]:
        """Add the seconds up to at most so many bars: return the seconds of each, and bits [bars]."""
        hours = 3600 * -(-len(self.seconds) // (3600 * most))
        width = next((width for width in _BAR_SECONDS if len(self.seconds) <= most * width), hours)
        return width, np.add.reduceat(self.seconds, np.arange(0, len(self.seconds), width))


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """The bits of a file by use. `code_bits` is information: what the coder loses is among `other_bits`."""

    entropy: Entropy
    kinds: tuple[KindBits, ...]
    image: ImageBits | None  # by place, of an image
    audio: AudioBits | None  # by time, of a recording
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


def explanation_of(codec: Codec[Any, Any], container: Container, size: int) -> Explanation:
    """Sum up the bits of a file of `size` bytes that was made with the codec's model.

    Raises:
        ContainerError: its codes are damaged.
    """
    header, reader = container.header, codec.reader(container)
    groups = len(reader.coder.sizes)
    places, bits, codes = np.zeros(reader.segments.grid), np.zeros(groups), 0
    for index in range(len(reader)):
        segment, costs = reader.read_with_costs(index)  # [A, G, ...]
        bits += costs.sum(axis=(0, *range(2, costs.ndim)), dtype=np.float64)
        places[segment.region] = costs.sum(axis=(0, 1), dtype=np.float64)
        codes += segment.codes.size // groups
    kinds, first = [], 0
    for label, count in codec.model.describe_groups(header.quality):
        kinds.append(KindBits(label=label, codes=count * codes, bits=float(bits[first : first + count].sum())))
        first += count
    assert first == groups, "each group is of a kind"
    return Explanation(
        entropy=header.entropy,
        kinds=tuple(kinds),
        **_located(codec.framing.model, places, header),
        bytes=size,
        alpha_bytes=0 if container.alpha is None else len(container.alpha),
    )


def bytes_by_mode(codec: Codec[Any, Any], container: Container) -> dict[Entropy, int | None]:
    """The length of the file with each entropy mode, the one it has among them; None for a mode that its model lacks.

    Raises:
        ContainerError: its codes are damaged.
    """
    reader, used = codec.reader(container), container.header.entropy
    bodies: dict[Entropy, list[bytes]] = {mode: [] for mode in reader.coder.modes}
    for segment in reader:
        for mode, body in bodies.items():
            codes = segment.stream if mode == used else reader.coder.write(segment.codes, mode)
            body.append(segment.prefix + codes)
    lengths: dict[Entropy, int | None] = dict.fromkeys([*ENTROPIES.values()][::-1])
    for mode, body in bodies.items():
        header = dataclasses.replace(container.header, entropy=mode)
        lengths[mode] = len(write_container(dataclasses.replace(container, header=header, body=join_streams(body))))
    return lengths


def draw_explanation(explanation: Explanation, pixels: NDArray[np.uint8]) -> bytes:
    """The PNG of where the bits of an image go, with its pixels [H, W, 3] or [H, W] below."""
    bits = explanation.image
    assert bits is not None, "only images have a map"
    title = f"Where the {explanation.bytes:,} bytes go"
    return draw_heat_map(bits.per_pixel, bits.block, bits.height, bits.width, title=title, pixels=pixels)


def _located(model: Any, places: Bits, header: Header) -> dict[str, Any]:
    """Bits of the positions of codes, [h, w] or [T], as an explanation has them."""
    shape: Any = header.shape
    if header.media == "image":
        block = model.downsampling_factor
        return {"audio": None, "image": ImageBits(blocks=places, block=block, height=shape.height, width=shape.width)}
    seconds = _by_second(places, model.hop_length / model.sample_rate, shape)
    return {"image": None, "audio": AudioBits(seconds=seconds)}


def _by_second(frames: Bits, frame_seconds: float, shape: AudioShape) -> Bits:
    """Bits of frames to bits of seconds, shared where a frame lies in two; padding counts to the last."""
    borders = np.arange(len(frames) + 1) * frame_seconds
    edges = np.arange(-(-shape.samples // shape.sample_rate) + 1, dtype=np.float64)
    edges[-1] = max(edges[-1], borders[-1])
    return np.diff(np.interp(edges, borders, np.concatenate([[0], np.cumsum(frames)])))
