"""Waveforms to `.vqc` bytes and back, chunk after chunk, in constant memory.

    blocks ─ resample ─ chunk ─ (mid/side) ─ model.encode ─ crop ─ codes ─ streams ─ container
    blocks ◄ resample ◄ (left/right) ◄ cross-fade ◄ model.decode ◄ codes of the chunk and its halo ◄ streams

Only one chunk at a time is held as samples; of a whole file only the codes are held, in 16 bits each. In a file of
several channels, and in one of a channel that is silent at times, every stream begins with a bit for each channel (the
first in the low bit, whole bytes): a clear bit is a channel that is exactly silent in this chunk and has no codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import torch

from vqc.codec.chunk_reader import ChunkReader, channel_batch, silence_bits
from vqc.codec.progress import ENCODING, Meter, Progress, compressing, report_progress
from vqc.codec.rate import Rate
from vqc.codec.rate_control import RateController, effort_of, is_rate_choice
from vqc.codec.stream_coder import Codes, StreamCoder, write_streams
from vqc.codec.validation import check_header, check_mode, check_quality
from vqc.data.audio_files import resample
from vqc.errors import MediaError
from vqc.format.chunking import Chunking, CrossFade, Float32Array, Window, cut, model_samples
from vqc.format.container import (
    DIGEST_BYTES,
    MAX_CHANNELS,
    MAX_SAMPLES,
    SAMPLE_RATES,
    AudioShape,
    Container,
    Header,
    join_streams,
    read_container,
    write_container,
)
from vqc.models.base import AudioModel
from vqc.models.kinds import KINDS
from vqc.models.search import EncoderSearch

# Two channels become mid and side when the side has at most this share of the energy: nearly mono. Otherwise a model
# that does not keep phases would smear what is on the left over the right.
_MID_SIDE_SHARE = 0.01


class AudioCodec:
    """Compresses with, and decompresses for, one model.

    Args:
        model: on the device to work on; is put into evaluation mode.
        digest: SHA-256 of the model, as bytes; only the first six go into a file.
        name: how errors call the model.
    """

    def __init__(self, model: AudioModel, digest: bytes, *, name: str = "given") -> None:
        self.model, self.digest, self.name = model.eval(), digest[:DIGEST_BYTES], name

    def compress(
        self,
        blocks: Iterable[Float32Array],
        sample_rate: int,
        *,
        quality: float | None = None,
        entropy: str = "auto",
        rate: Rate = Rate(),  # noqa: B008, it is frozen
        samples: int | None = None,
        channel_mask: int | None = None,
        progress: Progress | None = None,
    ) -> bytes:
        """The bytes of a complete file.

        Args:
            blocks: float32 [n, C] in [-1, 1], one after the other and of any length; values beyond are clipped.
            sample_rate: samples per second of the blocks; 1,000 to 1,000,000.
            quality: of the model, or between two of its qualities.
            rate: what else is asked for; a size stands in place of a quality.
            samples: how many will come, if known; for `progress` only.
            channel_mask: where the channels stand, as in WAV; None if they stand as so many usually do.

        Raises:
            OptionError: the model does not have this quality or entropy mode, or cannot meet the rate.
            MediaError: there are no samples, too many channels, another sample rate, or values that are not numbers.
        """
        mode = check_mode(self.model, entropy, self.name)
        wanted = check_quality(self.model, quality, self.name, rate)
        if sample_rate not in SAMPLE_RATES:
            span = f"{SAMPLE_RATES.start:,} to {SAMPLE_RATES.stop - 1:,}"
            raise MediaError(f"the audio has {sample_rate:,} samples per second; {span} can be compressed")
        rate_choice = is_rate_choice(self.model, wanted, rate, self.name)
        source = _Source(blocks, sample_rate, self.model.sample_rate)
        effort = effort_of(self.model, rate)
        frames = model_samples(samples or 0, sample_rate, self.model.sample_rate) / self.model.hop_length
        meter = Meter(progress, compressing(frames, effort, self.model, mode, search=rate.is_target))
        chunks = _Chunks(source, self.model, meter)

        # For a size every chunk is looked at again and again; otherwise one at a time is held.
        held = list(chunks) if rate.is_target else chunks

        def searches(used: int) -> Iterator[list[EncoderSearch]]:
            return (self._searches(window, active, used) for window, active in held)

        def write(used: int, codes: list[Codes]) -> bytes:
            entropy, streams = write_streams(StreamCoder(self.model, used), codes, mode, meter)
            shape = chunks.shape(channel_mask)
            kind = KINDS[self.model.kind].wire_id
            header = Header(codec=kind, entropy=entropy, quality=used, digest=self.digest, shape=shape)
            return write_container(Container(header=header, body=join_streams(chunks.with_silence(shape, streams))))

        size = rate.bytes_of_audio(source.samples / sample_rate)
        control = RateController(self.model, searches, write, meter, rate_choice=rate_choice, effort=effort)
        data = control.compress(wanted, size)
        report_progress(progress, 1.0)
        return data

    def decompress(
        self, data: bytes, *, limit: int | None = None, progress: Progress | None = None
    ) -> Iterator[Float32Array]:
        """The waveform of a file that was made with the same model, in blocks float32 [n, C] in [-1, 1].

        Args:
            limit: largest number of samples per channel to accept, 2^36 when left out.

        Raises (at once, or when the damaged block is reached):
            ContainerError: the file is damaged or over the limit.
            ModelNotFoundError: it was made with another model.
        """
        return self.restore(read_container(data, limit=limit), progress=progress)

    def restore(self, container: Container, *, progress: Progress | None = None) -> Iterator[Float32Array]:
        """As `decompress`, of a container already read."""
        reader = self.chunks(container)
        assert isinstance(container.header.shape, AudioShape), "chunks has checked it"
        return self._restored(reader, container.header.shape, progress)

    def chunks(self, container: Container) -> ChunkReader:
        """The codes of a file, chunk by chunk, without running the network; raises what `decompress` does at once."""
        header = container.header
        check_header(header, self.model.kind, self.model.qualities, self.digest, self.name)
        shape = header.shape
        assert isinstance(shape, AudioShape), "codec numbers of audio come with sizes of audio"
        chunking = Chunking(
            shape.samples,
            shape.sample_rate,
            model_rate=self.model.sample_rate,
            hop=self.model.hop_length,
            halo=self.model.halo,
        )
        return ChunkReader(container, StreamCoder(self.model, header.quality), chunking)

    def _restored(self, reader: ChunkReader, shape: AudioShape, progress: Progress | None) -> Iterator[Float32Array]:
        missing = shape.samples
        blocks = self._joined(reader, mid_side=shape.mid_side, progress=progress)
        for resampled in resample(blocks, self.model.sample_rate, shape.sample_rate, shape.channels):
            block = resampled[:missing].clip(-1, 1)
            missing -= len(block)
            if len(block):
                yield block
        if missing:  # at lower rates the resampler rounds down what had been rounded up
            yield np.zeros((missing, shape.channels), np.float32)

    def _joined(self, reader: ChunkReader, *, mid_side: bool, progress: Progress | None) -> Iterator[Float32Array]:
        """The waveforms [T, C] at the model's rate, cross-faded; one piece for each chunk."""
        fade = CrossFade()
        for index in range(len(reader.chunking)):
            waveforms = fade.add(self._decode_chunk(reader, index), *reader.chunking.reach(index))
            if mid_side:
                _from_mid_side(waveforms)
            yield np.ascontiguousarray(waveforms.T)
            report_progress(progress, (index + 1) / len(reader.chunking))

    @torch.inference_mode()
    def _searches(self, window: Window, active: list[bool], quality: int) -> list[EncoderSearch]:
        """The searches for the codes of the core, for the active channels."""
        if not any(active):
            return []
        waveforms = torch.from_numpy(window.waveforms[np.array(active)]).to(self._device).clamp_(-1, 1)  # [A, T]
        batches = torch.split(waveforms, channel_batch(waveforms.shape[1]))
        return [self.model.encoder_search(batch, quality, (window.span.inner,)) for batch in batches]

    @torch.inference_mode()
    def _decode_chunk(self, reader: ChunkReader, index: int) -> Float32Array:
        """Waveforms [C, T] of the core and its reach on both sides; zeros where a channel is silent."""
        hop, span, (before, after) = self.model.hop_length, reader.chunking.span(index), reader.chunking.reach(index)
        start, stop = span.start * hop - before, span.stop * hop + after
        result = np.zeros((reader.channels, stop - start), np.float32)
        for context in reader.contexts(index):
            codes = torch.from_numpy(context.codes.astype(np.int64)).to(self._device)
            waveforms = self.model.decode(codes, reader.coder.quality, first_frame=context.first_frame)
            left = context.first_frame * hop
            part = slice(max(start, left), min(stop, left + waveforms.shape[1]))
            shown = waveforms[:, part.start - left : part.stop - left]
            result[context.channels, part.start - start : part.stop - start] = shown.cpu().numpy()
        return result

    @property
    def _device(self) -> torch.device:
        return self.model.static_table.device


class _Source:
    """The waveform to compress: checked, counted and resampled on its way."""

    def __init__(self, blocks: Iterable[Float32Array], sample_rate: int, model_rate: int) -> None:
        self.blocks, self.sample_rate, self.model_rate = blocks, sample_rate, model_rate
        self.samples = self.channels = 0

    def resampled(self) -> Iterator[Float32Array]:
        """Blocks at the model's rate: in all, as many samples as `model_samples` says."""
        blocks, length = self._checked(), 0
        for first in blocks:  # tells the number of channels
            for block in resample(chain([first], blocks), self.sample_rate, self.model_rate, self.channels):
                length += len(block)
                yield block
        if not self.samples:
            raise MediaError("the audio has no samples; there is nothing to compress")
        missing = model_samples(self.samples, self.sample_rate, self.model_rate) - length
        assert missing >= 0, "the resampler gives at most the exact length, rounded up"
        yield np.zeros((missing, self.channels), np.float32)

    def _checked(self) -> Iterator[Float32Array]:
        for block in self.blocks:
            self._check(block)
            self.samples += len(block)
            if len(block):
                yield block

    def _check(self, block: Float32Array) -> None:
        assert block.ndim == 2, "blocks are [n, C]"
        self.channels = self.channels or block.shape[1]
        assert block.shape[1] == self.channels, "all blocks have the same channels"
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise MediaError(f"the audio has {self.channels} channels; 1 to {MAX_CHANNELS} can be compressed")
        if self.samples + len(block) > MAX_SAMPLES:
            raise MediaError(f"the audio has more than {MAX_SAMPLES:,} samples per channel; cut it into parts")
        if not np.isfinite(block).all():
            raise MediaError("the audio has samples that are no numbers (NaN or infinity); repair it first")


class _Chunks:
    """The chunks of a source, mid and side where that pays, and which of their channels are to be coded; once."""

    def __init__(self, source: _Source, model: AudioModel, meter: Meter) -> None:
        self.source, self.model, self.meter = source, model, meter
        self.active, self.mid_side = list[list[bool]](), False

    def __iter__(self) -> Iterator[tuple[Window, list[bool]]]:
        for window in cut(self.source.resampled(), hop=self.model.hop_length, halo=self.model.halo):
            if window.span.start == 0:
                self.mid_side = _nearly_mono(window.waveforms)
            if self.mid_side:
                _to_mid_side(window.waveforms)
            active = _active_channels(window, self.model.hop_length)
            self.active.append(active)
            yield window, active
            self.meter.add(ENCODING * (window.span.stop - window.span.start))

    def shape(self, channel_mask: int | None) -> AudioShape:
        """What the header says, once all chunks have been looked at."""
        source = self.source
        return AudioShape(
            samples=source.samples,
            sample_rate=source.sample_rate,
            channels=source.channels,
            mid_side=self.mid_side,
            silence=source.channels == 1 and not all(map(all, self.active)),
            channel_mask=channel_mask,
        )

    def with_silence(self, shape: AudioShape, streams: list[bytes]) -> list[bytes]:
        """The streams, one a chunk, each after the bits of its silent channels if the shape tells of them."""
        if not shape.tells_silence:
            return streams
        return [silence_bits(active) + stream for active, stream in zip(self.active, streams, strict=True)]


def _active_channels(window: Window, hop: int) -> list[bool]:
    """Which channels are to be coded: those with any sound in the core."""
    core = window.waveforms[:, window.span.inner.start * hop : window.span.inner.stop * hop]
    return [bool(channel.any()) for channel in core]


def _nearly_mono(waveforms: Float32Array) -> bool:
    if len(waveforms) != 2:
        return False
    left, right = waveforms.astype(np.float64)
    side, total = np.sum((left - right) ** 2) / 2, np.sum(left**2) + np.sum(right**2)
    return bool(total > 0 and side <= _MID_SIDE_SHARE * total)


def _to_mid_side(waveforms: Float32Array) -> None:
    left, right = waveforms
    waveforms[0], waveforms[1] = (left + right) / 2, (left - right) / 2


def _from_mid_side(waveforms: Float32Array) -> None:
    mid, side = waveforms
    waveforms[0], waveforms[1] = mid + side, mid - side
