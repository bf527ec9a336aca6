"""Waveforms to windows of the network and back, chunk after chunk, in constant memory; audio files in and out.

    blocks ─ resample ─ chunk ─ (mid/side) ─► windows of the channels that sound ─► codes of the chunk
    blocks ◄ resample ◄ (left/right) ◄ cross-fade ◄ network ◄ codes of the chunk and its halo

Only one chunk at a time is held as samples.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.atomic import Target, atomic_file
from vqc.codec.contexts import ContextReader, channel_batch
from vqc.codec.framing import Cut, Framing, Window, Workload
from vqc.codec.media import Audio
from vqc.codec.media_files import MediaFiles, Source, Writing
from vqc.codec.mid_side import from_mid_side, nearly_mono, to_mid_side
from vqc.codec.progress import Progress, report_progress
from vqc.codec.segments import SegmentReader
from vqc.data.audio_files import AudioReader, resample
from vqc.data.audio_writer import AudioWriter, audio_format, check_writable
from vqc.data.metadata import Policy, metadata_of_tags
from vqc.data.piecewise import PIECE, PiecewiseResampling
from vqc.errors import ContainerError, MediaError, OptionError
from vqc.format.chunking import Chunking, CrossFade, Float32Array, cut, model_samples, silence_bits
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.shapes import MAX_CHANNELS, MAX_SAMPLES, SAMPLE_RATES, AudioShape, Shape
from vqc.format.spans import chunk_core
from vqc.metrics.catalogue import METRICS
from vqc.metrics.mse import audio_mse
from vqc.metrics.scores import score_audio
from vqc.models.base import AudioModel, TraitObserver

_SHORT_PIECE = 2_048  # samples that are resampled at once where chunks are short, so that nobody waits for more

Blocks = Iterator[Float32Array]  # [n, C] in [-1, 1], in sequence and of any length


@dataclass(frozen=True, eq=False)
class Recording:
    """A waveform that is read as it is compressed.

    blocks: float32 [n, C] in [-1, 1], in sequence and of any length; values beyond are clipped.
    sample_rate: samples per second of the blocks; 1,000 to 1,000,000.
    samples: how many will come, if known; for progress only.
    channel_mask: where the channels stand, as in WAV; None if they stand as so many usually do.
    tags: title, artist and the like.
    chunk_seconds: of a chunk, at most the usual; None: as long as usual.
    """

    blocks: Iterable[Float32Array]
    sample_rate: int
    samples: int | None = None
    channel_mask: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    chunk_seconds: float | None = None


class AudioFraming(Framing[Recording, Blocks]):
    """Chunks of recordings."""

    axes = "[G, T] or [C, G, T]"
    model: AudioModel

    def check(self, signal: Recording) -> None:
        if signal.sample_rate not in SAMPLE_RATES:
            span = f"{SAMPLE_RATES.start:,} to {SAMPLE_RATES.stop - 1:,}"
            raise MediaError(f"the audio has {signal.sample_rate:,} samples per second; {span} can be compressed")

    def held(self, signal: Recording) -> Recording:
        return replace(signal, blocks=list(signal.blocks))

    def score(self, signal: Recording, restored: Blocks, metric: str) -> float:
        # channels are heard together
        original, heard = (np.concatenate([block.mean(1) for block in blocks]) for blocks in (signal.blocks, restored))
        found = score_audio(original.clip(-1, 1), heard, signal.sample_rate, [metric])
        if metric not in found:
            raise MediaError(f"the audio has no {METRICS[metric].label}: it holds no speech, or too little")
        return found[metric]

    def positions(self, signal: Recording) -> float:
        samples = model_samples(signal.samples or 0, signal.sample_rate, self.model.sample_rate)
        return samples / self.model.hop_length

    def cut(self, signal: Recording) -> Generator[Window, None, Cut]:
        prefixes, shape = list[bytes](), AudioShape(samples=0, sample_rate=signal.sample_rate, channels=1)
        observer = self.model.observer()
        for window, known in self.chunks(signal, observer):
            prefixes.append(window.prefix)
            yield window
            shape = known
        sounds = silence_bits([True])
        if shape.channels == 1 and all(prefix == sounds for prefix in prefixes):  # of several it is always told
            shape, prefixes = replace(shape, silence=False), [b""] * len(prefixes)
        return Cut(shape, prefixes, traits=observer.finish())

    def chunks(self, signal: Recording, observer: TraitObserver) -> Iterator[tuple[Window, AudioShape]]:
        """Yield the windows of a recording as it comes in, each with what is known of the recording with it.

        That is all but the number of samples, 0 until the last. A single channel tells what is silent.

        Raises:
            MediaError: the recording has no samples, or such that the format has no place for.
            OptionError: the model has no chunks of the length asked for.
        """
        source, hop, mid_side = _Source(signal, self.model.sample_rate), self.model.hop_length, False
        frames = self.chunk_frames(signal.chunk_seconds)
        for span, waveforms, last in cut(source.resampled(), hop=hop, halo=self.model.halo, core=frames):  # [C, T]
            if span.start == 0:
                mid_side = nearly_mono(waveforms)
            if mid_side:
                to_mid_side(waveforms)
            core = waveforms[:, span.inner.start * hop : span.inner.stop * hop]
            sounding = [bool(channel.any()) for channel in core]
            shape = AudioShape(
                samples=source.samples if last else 0,
                sample_rate=signal.sample_rate,
                channels=source.channels,
                mid_side=mid_side,
                silence=source.channels == 1,
                channel_mask=signal.channel_mask,
                chunk_frames=frames,
            )
            observer.add(core[np.array(sounding)])
            prefix = silence_bits(sounding)
            yield Window(waveforms[np.array(sounding)], (span.inner,), span.stop - span.start, prefix), shape

    def chunk_frames(self, seconds: float | None) -> int | None:
        """Frames of the core of chunks of so many seconds, None for the usual; OptionError where there are none."""
        if seconds is None:
            return None
        least, most = self.chunk_seconds
        if not least <= seconds <= most:
            raise OptionError(f"chunks of {seconds:g} s: those of this model take {least:.2f} to {most:.2f} s")
        frames = round(seconds * self.model.sample_rate / self.model.hop_length)
        return None if frames == chunk_core(self.model.hop_length) else frames

    def samples_of_chunks(self, shape: AudioShape, count: int) -> int:
        """Samples of so many chunks of recordings of this shape, all as long as most."""
        model, frames = self.model, shape.chunk_frames or chunk_core(self.model.hop_length)
        return count * frames * model.hop_length * shape.sample_rate // model.sample_rate

    @property
    def chunk_seconds(self) -> tuple[float, float]:
        """The shortest and the longest core of a chunk."""
        frame = self.model.hop_length / self.model.sample_rate
        return max(1, self.model.halo) * frame, chunk_core(self.model.hop_length) * frame

    def batches(self, window: Window) -> Iterable[Tensor]:
        if not len(window.values):
            return ()
        # [A, T]; resampling overshoots full scale
        waveforms = torch.from_numpy(window.values).to(self.device).clamp_(-1, 1)
        return torch.split(waveforms, channel_batch(waveforms.shape[1]))

    def segments(self, shape: AudioShape) -> Chunking:
        model = self.model
        cut = {"model_rate": model.sample_rate, "hop": model.hop_length, "halo": model.decoder_halo}
        return Chunking(shape.samples, shape.sample_rate, core=shape.chunk_frames, **cut)

    def join(self, reader: SegmentReader, progress: Progress | None = None) -> Blocks:
        return self.join_from(reader, 0, progress)

    def join_from(self, reader: SegmentReader, start: int, progress: Progress | None = None) -> Blocks:
        """Restore what comes from a sample on, bit for bit as in all of it; blocks [n, C] are made as they are taken.

        Raises:
            ContainerError: a stream that it takes is damaged.
        """
        shape = reader.header.shape.as_audio
        if len(reader.traits) not in (0, self.model.trait_bytes):
            raise ContainerError("the .vqc file is damaged: it says of the voice what its model does not; get it again")
        position = start
        for block in self._restored_from(reader, shape, start, progress):
            end = reader.header.shape.size or MAX_SAMPLES  # it may not be known yet
            wanted = block[: end - position].clip(-1, 1)
            position += len(wanted)
            if len(wanted):
                yield wanted
        missing = reader.header.shape.size - position
        if missing > 0:  # at lower rates the resampler rounds down what had been rounded up
            yield np.zeros((missing, shape.channels), np.float32)

    def described(self, codes: NDArray[Any]) -> tuple[NDArray[Any], Shape] | None:
        codes, model = codes[None] if codes.ndim == 2 else codes, self.model
        if codes.ndim != 3:
            return None
        samples = codes.shape[-1] * model.hop_length
        return codes, AudioShape(samples=samples, sample_rate=model.sample_rate, channels=len(codes))

    def gathered(self, restored: Blocks, shape: AudioShape) -> Audio:
        samples, start = np.empty((shape.samples, shape.channels), np.float32), 0  # [T, C]
        for block in restored:
            samples[start : start + len(block)] = block
            start += len(block)
        return Audio(samples, shape.sample_rate)

    def workload(self, shape: AudioShape) -> Workload:
        written = float(shape.samples * shape.channels)
        values = written * self.model.sample_rate / shape.sample_rate
        return Workload(values, values / self.model.hop_length, written)

    def _restored_from(self, reader: SegmentReader, shape: AudioShape, start: int, progress: Progress | None) -> Blocks:
        """The blocks [n, C] from this sample on, without end where they are rounded up."""
        if shape.sample_rate == self.model.sample_rate:
            yield from self._joined(reader, shape, start, progress)
            return
        piece = PIECE if shape.chunk_frames is None else _SHORT_PIECE
        resampling = PiecewiseResampling(self.model.sample_rate, shape.sample_rate, piece)
        piece = resampling.piece_at(start)
        source = self._joined(reader, shape, resampling.source_start(piece), progress)
        yield from _skip(resampling.results(source, piece, shape.channels), start - piece * resampling.step)

    def _joined(self, reader: SegmentReader, shape: AudioShape, start: int, progress: Progress | None) -> Blocks:
        """The waveforms [T, C] at the model's rate, cross-faded, from this sample on: a block for each chunk.

        Of a chunk whose next one has not come the beginning, which does not depend on that; the rest when it has.
        """
        chunking = reader.segments
        assert isinstance(chunking, Chunking), "recordings have chunks"
        first = chunking.chunk_at(start)
        fade, contexts = CrossFade(), ContextReader(reader, chunking)
        begin = chunking.begin(first)
        if first and start < begin + 2 * chunking.reach(first)[0]:  # the chunk before fades out here
            fade.add(self._decode_chunk(contexts, chunking, first - 1), *chunking.reach(first - 1))
        given = start  # samples of the file that need not be given
        for index, whole in reader.indices(first):
            waveforms = self._decode_chunk(contexts, chunking, index, whole=whole)
            before, after = chunking.reach(index)
            if whole:
                waveforms = fade.add(waveforms, before, after)  # [C, T]
            else:
                fade.fade_in(waveforms, before)
            if shape.mid_side:
                from_mid_side(waveforms)
            yield np.ascontiguousarray(waveforms[:, max(0, given - begin) :].T)
            given = begin + waveforms.shape[1]
            begin = given if whole else begin
            report_progress(progress, (index + whole - first) / (len(chunking) - first))

    @torch.inference_mode()
    def _decode_chunk(
        self, contexts: ContextReader, chunking: Chunking, index: int, *, whole: bool = True
    ) -> Float32Array:
        """Waveforms [C, T] of the core and its reach on both sides; zeros where a channel is silent.

        Not of the whole, but without what the next chunk can change.
        """
        hop, span, (before, after) = self.model.hop_length, chunking.span(index), chunking.reach(index)
        start, stop = span.start * hop - before, span.stop * hop + after  # samples of the file
        stop = stop if whole else (span.stop - chunking.halo) * hop
        result = np.zeros((contexts.channels, stop - start), np.float32)
        for context in contexts.of(index, whole=whole):
            codes = torch.from_numpy(context.codes.astype(np.int64)).to(self.device)  # [A, G, n]
            # [A, n · hop]
            waveforms = self.model.decode_with(
                contexts.reader.traits, codes, contexts.quality, first_frame=context.first_frame
            )
            left = context.first_frame * hop  # the first sample that these codes restore
            part = slice(max(start, left), min(stop, left + waveforms.shape[1]))
            shown = waveforms[:, part.start - left : part.stop - left]
            result[context.channels, part.start - start : part.stop - start] = shown.cpu().numpy()
        return result


def recordings_of(framing: Framing[Any, Any]) -> AudioFraming:
    """The framing of a codec that is known to be of audio."""
    assert isinstance(framing, AudioFraming), "the codec is of audio"
    return framing


class AudioFiles(MediaFiles[Recording, Blocks]):
    """Files of recordings."""

    @contextmanager
    def open(self, source: Source, limit: int | None) -> Iterator[tuple[Recording, Shape]]:
        with AudioReader(source) as reader:
            shape = AudioShape(samples=reader.frames, sample_rate=reader.sample_rate, channels=reader.channels)
            recording = Recording(reader.blocks(), reader.sample_rate, reader.frames, reader.channel_mask, reader.tags)
            yield recording, shape

    def in_chunks(self, signal: Recording, seconds: float) -> Recording:
        return replace(signal, chunk_seconds=seconds)

    def metadata(self, source: Source, signal: Recording, policy: Policy) -> Metadata:
        return metadata_of_tags(signal.tags, policy)

    def mse(self, source: Source, signal: Recording, restored: Blocks) -> float:
        with AudioReader(source) as reader:  # the blocks of the signal have been read
            return audio_mse(reader.blocks(), restored)

    def format_for(self, target: Target, format: str | None, shape: Shape) -> str:
        format, sound = format or audio_format(target), shape.as_audio
        check_writable(format, sound.sample_rate, sound.channels, name=os.fspath(target))
        return format

    def encode(self, restored: Blocks, shape: Shape, format: str, name: str) -> bytes:
        file = io.BytesIO()
        _write(restored, shape.as_audio, file, Writing(format, NO_METADATA, overwrite=False), name)
        return file.getvalue()

    def write(self, restored: Blocks, shape: Shape, target: Target, how: Writing) -> int:
        with atomic_file(target, overwrite=how.overwrite) as file, _seekable(file) as held:
            _write(restored, shape.as_audio, held, how, os.fspath(target))
            return held.seek(0, os.SEEK_END)


def _write(restored: Blocks, shape: AudioShape, file: BinaryIO, how: Writing, name: str) -> None:
    """Write a file that can seek."""
    with AudioWriter(
        file,
        shape.sample_rate,
        shape.channels,
        format=how.format,
        channel_mask=shape.channel_mask,
        samples=shape.samples,
        tags=dict(how.metadata.tags),
        quality=how.quality,
        name=name,
    ) as writer:
        for block in restored:
            writer.write(block)


class _Source:
    """The waveform to compress: checked, counted and resampled on its way."""

    def __init__(self, recording: Recording, model_rate: int) -> None:
        self.blocks, self.sample_rate, self.model_rate = recording.blocks, recording.sample_rate, model_rate
        self.samples = self.channels = 0

    def resampled(self) -> Blocks:
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
        yield np.zeros((missing, self.channels), np.float32)  # both ends count frames by `model_samples`

    def _checked(self) -> Blocks:
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


def _skip(blocks: Blocks, count: int) -> Blocks:
    """The blocks but for so many samples at the beginning."""
    for block in blocks:
        yield block[count:]
        count = max(0, count - len(block))


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or for one that cannot seek (a pipe) another one, whose content it gets in the end."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as held:
        yield held
        held.seek(0)
        shutil.copyfileobj(held, file)
