"""What the golden files hold, and how fixed codes go through the real codecs.

For each model there is NAME.safetensors. For each case there is CASE.npz with what goes in (a picture, or a waveform of
which only the silences matter), the codes that the encoder is made to give, and what comes out; and a file for each
entropy mode, CASE.MODE.vqc. Archives of these files are NAME.vqca. Codes are fixed and not computed, because float
networks may differ between CPUs. Of pictures without loss, drawn by `draw_graphic`, there is only NAME.none.vqc.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.live.compress import pieces
from vqc.codec.open import codec_with
from vqc.codec.rate import Rate
from vqc.data.image_files import Picture
from vqc.devices import on_threads
from vqc.format.archive import ArchiveHeader, Index, Item, pack_item, write_header, write_index, write_items
from vqc.format.chunking import Chunking
from vqc.format.container import read_container
from vqc.format.tiling import Tiling
from vqc.models.base import TraitObserver
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.search import WindowSearch

FOLDER = Path(__file__).parent
Array = np.ndarray


class Case(NamedTuple):
    """One image or waveform, of one size and sort."""

    model: str
    quality: int = 1
    height: int = 0
    width: int = 0
    grayscale: bool = False
    alpha: bool = False
    samples: int = 0
    sample_rate: int = 0
    channels: int = 0
    silent: int | None = None  # a channel without sound
    mid_side: bool = False
    chunk_frames: int | None = None  # of a recording that comes in
    maps: int | None = None  # code maps that hold something, the first ones

    @property
    def entropies(self) -> tuple[str, ...]:
        """The modes in which there are files."""
        return ("prior",) if self.model.endswith("-prior") else ("none", "static")


CASES = {
    "image-colour": Case("image", height=21, width=34),
    "image-gray": Case("image", height=9, width=20, grayscale=True),
    "image-alpha": Case("image", height=12, width=10, alpha=True),
    "image-gray-alpha": Case("image", height=5, width=7, grayscale=True, alpha=True),
    "image-two-tiles": Case("image", height=1025, width=6),
    "photo-low": Case("photo", quality=1, height=40, width=70),
    "photo-high": Case("photo", quality=2, height=40, width=70),
    "audio-mono": Case("audio", samples=3000, sample_rate=8000, channels=1),
    "audio-stereo": Case("audio", samples=2000, sample_rate=11_025, channels=2),
    "audio-mid-side": Case("audio", samples=1000, sample_rate=8000, channels=2, mid_side=True),
    "audio-silent-channel": Case("audio", samples=1000, sample_rate=5000, channels=3, silent=1),
    "audio-two-chunks": Case("audio", samples=4150, sample_rate=1000, channels=1),
    "speech-low": Case("speech", quality=1, samples=6000, sample_rate=16_000, channels=1),
    "speech-high": Case("speech", quality=2, samples=6000, sample_rate=16_000, channels=1),
    "audio-live": Case("audio", samples=2500, sample_rate=8000, channels=2, silent=1, chunk_frames=40),
    "speech-live": Case("speech-prior", samples=30_000, sample_rate=16_000, channels=1, chunk_frames=8),
    "maps": Case("maps", height=21, width=34),
    "phones": Case("phones", samples=6000, sample_rate=16_000, channels=1),
    "voice": Case("voice", samples=20_000, sample_rate=16_000, channels=1),
    "voice-prior": Case("voice-prior", samples=20_000, sample_rate=16_000, channels=1),
    "image-prior": Case("image-prior", height=45, width=70),
    "photo-prior-low": Case("photo-prior", quality=1, height=200, width=300),
    "photo-prior-high": Case("photo-prior", quality=2, height=200, width=300),
    "audio-prior": Case("audio-prior", samples=3000, sample_rate=8000, channels=2),
    "speech-prior-low": Case("speech-prior", quality=1, samples=30_000, sample_rate=16_000, channels=1),
    "photo-stepped-prior": Case("photo-stepped-prior", quality=2, height=200, width=300),
    "speech-stepped-prior": Case("speech-stepped-prior", quality=2, samples=20_000, sample_rate=16_000, channels=1),
    "photo-ending-prior": Case("photo-ending-prior", quality=2, height=200, width=300, maps=5),
    "speech-prior-high": Case("speech-prior", quality=2, samples=20_000, sample_rate=16_000, channels=1),
}


ARCHIVES = {  # the files of which each is made, two in a block
    "image-static": ("image-colour.static", "image-gray.static", "image-alpha.static"),
    "image-prior": ("image-prior.prior",),
    "audio-none": ("audio-mono.none", "audio-stereo.none", "audio-silent-channel.none"),
}


def archive_of(members: tuple[str, ...]) -> bytes:
    """An archive of golden files, with an index after each block."""
    containers = [read_container(FOLDER.joinpath(f"{member}.vqc").read_bytes()) for member in members]
    first = containers[0].header
    header = ArchiveHeader(codec=first.codec, entropy=first.entropy, quality=first.quality, digest=first.digest)
    items = [
        Item(
            f"{member.partition('-')[2]}/źródło.png",
            member.partition("-")[0],
            container.header.shape,
            pack_item(container),
        )
        for member, container in zip(members, containers, strict=True)
    ]
    data, last = write_header(header), 0
    for start in range(0, len(items), 2):
        block = write_items(items[start : start + 2])
        index = Index(len(data) + len(block) - last if last else 0, [(len(block), len(items[start : start + 2]))])
        last = len(data) + len(block)
        data += block + write_index(index)
    return data


class FixedTraits(TraitObserver):
    """What a file says of a recording, the same on every machine."""

    def __init__(self, count: int) -> None:
        self.traits = bytes(83 * i % 256 for i in range(1, count + 1))

    def finish(self) -> bytes:
        return self.traits


@cache
def codec_of(name: str) -> Codec:
    """The codec of a golden model."""
    model, info = load_checkpoint(FOLDER / f"{name}.safetensors")
    digest = bytes.fromhex(info.digest)
    return codec_with(model, digest)


def compress(codec: Codec, case: Case, source: Array, codes: Array, entropy: str) -> bytes:
    """The file of a source [H, W, ...] or [T, C] for which the network gives these codes, [G, h, w] or [C, G, T]."""
    windows = [torch.from_numpy(window.astype(np.int64)) for window in windows_of(codec, case, codes)]

    def search(signal: torch.Tensor, quality: int, inner: tuple[slice, ...] = ()) -> WindowSearch:
        return WindowSearch(windows.pop(0), inner)

    image = codec.model.media == "image"
    frames, frame = case.chunk_frames, 0 if image else codec.model.hop_length / codec.model.sample_rate
    seconds = frames and frames * frame
    signal = to_picture(source, case) if image else Recording([source], case.sample_rate, chunk_seconds=seconds)
    options: dict[str, Any] = {"quality": case.quality, "entropy": entropy, "rate": Rate(effort=0)}
    seen = FixedTraits(codec.model.trait_bytes)
    with (
        on_threads(1),  # so that tiles are searched in their order
        patch.object(codec.model, "encoder_search", search),
        patch.object(codec.model, "observer", lambda: seen, create=True),
    ):
        if seconds:
            data = b"".join(piece for _, piece in pieces(codec, signal, **options))
        else:
            data = codec.compress(signal, **options)
    assert not windows, "one window for each tile or chunk"
    return data


def windows_of(codec: Codec, case: Case, codes: Array) -> Iterator[Array]:
    """The codes of each tile or chunk with its context, [1, G, h, w] or [channels that sound, G, T]."""
    if codec.model.media == "image":
        for rows, columns in tiling_of(codec, case):
            rectangle = slice(rows.outer_start, rows.outer_stop), slice(columns.outer_start, columns.outer_stop)
            yield codes[None, :, *rectangle]
    else:
        chunking = chunking_of(codec, case)
        sounding = [channel for channel in range(case.channels) if channel != case.silent]
        for span in map(chunking.span, range(len(chunking))):
            yield codes[sounding, :, span.outer_start : span.outer_stop]


def tiling_of(codec: Codec, case: Case) -> Tiling:
    return Tiling(case.height, case.width, factor=codec.model.downsampling_factor, halo=codec.model.halo)


def chunking_of(codec: Codec, case: Case) -> Chunking:
    rates = {"sample_rate": case.sample_rate, "model_rate": codec.model.sample_rate}
    sizes = {"hop": codec.model.hop_length, "halo": codec.model.halo, "core": case.chunk_frames}
    return Chunking(case.samples, **rates, **sizes)


def read_codes(codec: Codec, data: bytes) -> Array:
    """The codes in a file, [G, h, w] or [C, G, T]; silent channels have zeros."""
    reader = codec.reader(read_container(data))
    codes = np.zeros((reader.header.shape.items, len(reader.coder.sizes), *reader.segments.grid), np.uint16)
    for segment in reader:
        codes[segment.items, :, *segment.region] = segment.codes
    return codes[0] if codec.model.media == "image" else codes


def decompress(codec: Codec, data: bytes) -> Array:
    """What a file restores to: levels [H, W, ...], alpha the last channel, or samples [T, C]."""
    restored = codec.decompress(data)
    if not isinstance(restored, Picture):
        return np.concatenate(list(restored))
    return restored.pixels if restored.alpha is None else np.dstack([restored.pixels, restored.alpha])


def to_picture(source: Array, case: Case) -> Picture:
    """The last channel is alpha if there is any."""
    colours = source[..., :-1] if case.alpha else source
    return Picture(colours[..., 0] if case.grayscale else colours, source[..., -1] if case.alpha else None)


LOSSLESS = {"lossless-colour": (3, False), "lossless-gray": (1, False), "lossless-alpha": (3, True)}
AVIF = {"avif-gray": (1, False), "avif-alpha": (3, True)}


def draw_graphic(channels: int, alpha: bool) -> Picture:
    """A picture of 37 x 26 pixels with flat parts, a ramp and some noise, and colours under alpha 0."""
    y, x = np.mgrid[:26, :37]
    noise = np.random.default_rng(4).integers(0, 9, x.shape)
    planes = [np.where(y < 13, 40 * c + 60, 6 * x + c + noise * (x > 20)) for c in range(channels)]
    pixels = np.stack(planes, -1).astype(np.uint8)
    return Picture(pixels[..., 0] if channels == 1 else pixels, (x * 7).astype(np.uint8) if alpha else None)
