"""Long audio is coded chunk by chunk, so that memory is constant. This cut is part of the format.

The waveform, at the model's sample rate and padded with zeros to whole frames, is cut into cores of 256 frames, or as
many more as make 65,536 samples (the last may be shorter). Each is encoded together with the model's halo of frames
around it, and only the codes of the core are kept. Decoding mirrors this, with a halo of codes; where two cores meet,
the reconstructions of both are cross-faded over 20 ms, half of it on each side. Each chunk is one stream of the body.

In a file of several channels, and in one of a channel that is silent at times, every stream begins with a bit for each
channel (the first in the low bit, whole bytes): a clear bit is a channel that is exactly silent in this chunk and has
no codes.

    core 0      core 1
    ────────\\ /────────
             X            20 ms
    ────────/ \\────────
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.errors import ContainerError
from vqc.format.spans import Span, chunk_core, span_at, span_count

FADE_SECONDS = 0.02  # half of it on each side of a join

Float32Array = NDArray[np.float32]


class Window(NamedTuple):
    """The waveforms of one chunk and its context."""

    span: Span  # in frames
    waveforms: Float32Array  # [C, T], T = hop times the length of the context
    is_last: bool = False


class Chunking:
    """The chunks of `samples` samples at `sample_rate` for a model with this rate, hop and halo (in frames).

    Args:
        core: of a chunk in frames, if not the usual.

    Raises:
        ContainerError: the model has no chunks with such a core.
    """

    def __init__(
        self, samples: int, sample_rate: int, *, model_rate: int, hop: int, halo: int, core: int | None = None
    ) -> None:
        self.hop, self.halo, self.model_rate, self.core = hop, halo, model_rate, core or chunk_core(hop)
        if core is not None and not max(1, halo) <= core <= chunk_core(hop):
            raise ContainerError("the .vqc file is damaged: the length of its chunks cannot be right; get it again")
        self.frames = -(-model_samples(samples, sample_rate, model_rate) // hop)

    def __len__(self) -> int:
        return span_count(self.frames, self.core)

    @property
    def grid(self) -> tuple[int]:
        """Size of the code maps."""
        return (self.frames,)

    def span(self, index: int) -> Span:
        """The chunk with this index, in frames."""
        return span_at(index, self.frames, self.core, self.halo)

    def region(self, index: int) -> tuple[slice, ...]:
        """The frames of a chunk's core."""
        return (self.span(index).core,)

    def reach(self, index: int) -> tuple[int, int]:
        """Return by how many samples the reconstruction of a chunk reaches beyond its core on each side."""
        return self._half_fade(index), self._half_fade(index + 1)

    def seconds(self, index: int) -> tuple[float, float]:
        """When the chunk with this index begins and ends."""
        span = self.span(index)
        return span.start * self.hop / self.model_rate, span.stop * self.hop / self.model_rate

    def begin(self, index: int) -> int:
        """The first sample that is final once the chunk with this index is there, at the model's rate."""
        return index * self.core * self.hop - self._half_fade(index)

    def chunk_at(self, sample: int) -> int:
        """The chunk with which this sample is final, at the model's rate; the last for what is beyond."""
        index = min(sample // (self.core * self.hop), len(self) - 1)
        return index + (index + 1 < len(self) and sample >= self.begin(index + 1))

    def _half_fade(self, join: int) -> int:
        """Half of the cross-fade before the chunk with this index; shorter when there is too little to fade."""
        if not 0 < join < len(self):
            return 0
        wanted = round(FADE_SECONDS * self.model_rate / 2)
        return min(wanted, self.halo * self.hop, (self.frames - join * self.core) * self.hop, self.core * self.hop // 2)


def model_samples(samples: int, sample_rate: int, model_rate: int) -> int:
    """Return the number of samples at the model's rate that are coded: they cover all of the source."""
    return -(-samples * model_rate // sample_rate)


def cut(blocks: Iterable[Float32Array], *, hop: int, halo: int, core: int | None = None) -> Iterator[Window]:
    """The windows of a waveform [T, C] that comes in blocks of any length; holds little more than one window.

    A waveform without samples gives no window.

    Args:
        core: of a chunk in frames, if not the usual.
    """
    core, buffer = core or chunk_core(hop), list[Float32Array]()
    first = index = held = total = 0  # frame at the buffer's beginning, chunk, samples held, samples seen
    for block in blocks:
        buffer.append(block)
        held, total = held + len(block), total + len(block)
        while first * hop + held > ((index + 1) * core + halo) * hop:  # so that more comes
            joined = np.concatenate(buffer)  # [T, C]
            span = span_at(index, total // hop, core, halo)
            yield _window(span, joined, first, hop)
            index += 1
            keep_from = max(0, index * core - halo)
            buffer = [joined[(keep_from - first) * hop :].copy()]  # a view would keep all of it alive
            first, held = keep_from, len(buffer[0])
    frames = -(-total // hop)
    if buffer:
        padding = np.zeros((frames * hop - total, buffer[0].shape[1]), np.float32)
        joined = np.concatenate([*buffer, padding])
        count = span_count(frames, core)
        for rest in range(index, count):
            window = _window(span_at(rest, frames, core, halo), joined, first, hop)
            yield window._replace(is_last=rest == count - 1)


def _window(span: Span, joined: Float32Array, first: int, hop: int) -> Window:
    part = joined[(span.outer_start - first) * hop : (span.outer_stop - first) * hop]
    return Window(span, np.array(part.T, order="C"))


class CrossFade:
    """Joins the reconstructions of chunk after chunk, each [C, T] with its reach before and after the core."""

    def __init__(self) -> None:
        self._fading_out: Float32Array | None = None

    def add(self, chunk: Float32Array, before: int, after: int) -> Float32Array:
        """The samples [C, T'] that are final once this chunk is there. Overwrites the chunk."""
        self.fade_in(chunk, before)
        # what overlaps the next chunk is final once that is there
        final = chunk[:, : chunk.shape[1] - 2 * after]
        self._fading_out = chunk[:, chunk.shape[1] - 2 * after :] * _ramp(after)[::-1]
        return final

    def fade_in(self, chunk: Float32Array, before: int) -> None:
        """Join the beginning of a chunk, which may not go on yet, to what was added. Overwrites it."""
        if self._fading_out is not None and before:
            part = chunk[:, : 2 * before]
            part *= _ramp(before)[: part.shape[1]]
            part += self._fading_out[:, : part.shape[1]]


def _ramp(half: int) -> Float32Array:
    """Weights rising from 0 to 1; with their mirror image they sum to 1."""
    return ((np.arange(2 * half) + 0.5) / max(1, 2 * half)).astype(np.float32)


def silence_bits(sounding: list[bool]) -> bytes:
    """Return the bits with which a stream begins where it tells which channels are silent."""
    return np.packbits(sounding, bitorder="little").tobytes()


def split_silence(stream: bytes, channels: int) -> tuple[bytes, list[int], bytes]:
    """Split a stream into what `silence_bits` made, the channels that sound, and their codes.

    Raises:
        ContainerError: it does not say of so many channels which are silent.
    """
    length = -(-channels // 8)
    bits = np.unpackbits(np.frombuffer(stream[:length], np.uint8), bitorder="little")
    if len(stream) < length or bits[channels:].any():
        raise ContainerError("the .vqc file is damaged: its silent channels cannot be right; get it again")
    return stream[:length], np.flatnonzero(bits).tolist(), stream[length:]
