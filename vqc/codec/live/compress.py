"""A recording that is compressed while it comes in."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import torch

from vqc.codec.audio_io import Blocks, Recording, recordings_of
from vqc.codec.batches import mode_of
from vqc.codec.codec import Codec
from vqc.codec.inspect.report import Report
from vqc.codec.open import Model, open_codec
from vqc.codec.progress import Meter
from vqc.codec.rate import Rate
from vqc.codec.rate_control import RateController, is_rate_choice
from vqc.codec.stream_coder import StreamCoder
from vqc.codec.validation import check_quality
from vqc.data.wav_stream import SoundFormat, blocks_of, read_head
from vqc.errors import MediaError, OptionError
from vqc.format.container import CHECKSUM_BYTES, Header, streamed_front
from vqc.format.stream import write_chunk
from vqc.models.kinds import KINDS

CHUNK_SECONDS = 2.0  # a listener waits for it; of shorter ones the prior knows less, and the bits rise


def compress_stream(
    source: BinaryIO,
    target: BinaryIO,
    *,
    sound: SoundFormat | None = None,
    length: int | None = None,
    model: Model = None,
    quality: float | None = None,
    entropy: str = "auto",
    rate: Rate | None = None,
    chunk: float | None = None,
    device: str = "auto",
    limit: int | None = None,
) -> Report:
    """Compress sound while it comes in: a chunk is written, and flushed, as soon as it can be made.

    Args:
        source: a WAV file, which may have no end; it is read where it stands and need not seek.
        target: of the `.vqc` file; it need not seek.
        sound: how samples stand in a source without a header, or whose header was read.
        length: bytes of sound to take; all when left out.
        model: name or path of a model, or a loaded one; by default the one for audio.
        quality: 1 (smallest) up to the model's `qualities` (best); by default the model's own choice. May lie between.
        entropy: "auto" (the prior if the model has one, else static), "prior", "static" or "none".
        rate: effort, or λ.
        chunk: seconds of a chunk; by default 2, or the nearest that the model has.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of samples per channel to take.

    Raises:
        MediaError: the source is no WAV file, cannot be compressed, or is over the limit.
        OptionError: an option has a value that cannot be used.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    begin, written, rate = time.perf_counter(), 0, rate or Rate()
    if sound is None:
        head = read_head(source)
        if head.format is None:
            raise MediaError("the sound that comes in is no WAV file, or of a kind that can only be read as a whole")
        sound, length = head.format, head.length
    codec = open_codec("audio", model, device)
    taken = _Taken(source, length)
    blocks = _limited(blocks_of(taken, sound), limit)
    chunk = chunk or _nearest_chunk(codec)
    recording = Recording(blocks, sound.sample_rate, channel_mask=sound.channel_mask, chunk_seconds=chunk)
    for so_far, piece in pieces(codec, recording, quality=quality, entropy=entropy, rate=rate):
        header = so_far
        target.write(piece)
        target.flush()
        written += len(piece)
    return Report.of(
        header,
        codec.name,
        bytes_in=taken.size,
        bytes_out=written,
        vqc_bytes=written,
        seconds=time.perf_counter() - begin,
    )


def pieces(
    codec: Codec[Recording, Blocks], recording: Recording, *, quality: float | None, entropy: str, rate: Rate
) -> Iterator[tuple[Header, bytes]]:
    """The bytes of the file of a recording, a piece for each chunk, each with the header as far as it is known then.

    Raises (at once, or when the bad part is reached):
        OptionError: the model does not have this quality, mode or length of chunks; or a size is asked for.
        MediaError: the recording has no samples, or such that the format has no place for.
    """
    if rate.is_target:
        raise OptionError("a target size is for a recording whose end is known; give a quality")
    model, framing = codec.model, recordings_of(codec.framing)
    if model.trait_bytes:
        raise OptionError(
            f"the model {codec.name} says what the end of a recording tells; choose another for sound that comes in"
        )
    framing.check(recording)
    wanted = check_quality(model, quality, codec.name, rate)
    point, choice = model.operating_point(wanted), is_rate_choice(model, wanted, rate, codec.name)
    control = RateController(framing, Meter(None, 0), rate_choice=choice, effort=rate.effort)
    coder, mode, crc, begun = StreamCoder(model, point.quality), mode_of(codec, entropy), 0, False
    for window, shape in framing.chunks(recording, framing.model.observer()):
        header = Header(
            codec=KINDS[model.kind].wire_id, entropy=mode, quality=point.quality, digest=codec.digest, shape=shape
        )
        with torch.inference_mode():
            codes = control.codes(control.searches(window, point), point)  # [A, G, T]
            stream = window.prefix + coder.write(codes, mode)
        front, begun = b"" if begun else streamed_front(header), True
        piece = front + write_chunk(stream, shape.samples or None)
        crc = zlib.crc32(piece, crc)
        yield header, piece + (crc.to_bytes(CHECKSUM_BYTES, "little") if shape.samples else b"")


def _nearest_chunk(codec: Codec[Recording, Blocks]) -> float:
    """Seconds of the chunks of the model that are nearest to `CHUNK_SECONDS`."""
    least, most = recordings_of(codec.framing).chunk_seconds
    return min(max(CHUNK_SECONDS, least), most)


def _limited(blocks: Blocks, limit: int | None) -> Blocks:
    """The blocks, unless they are of more samples than the limit: then MediaError once that is reached."""
    count = 0
    for block in blocks:
        count += len(block)
        if limit is not None and count > limit:
            raise MediaError(f"the sound that comes in is over the limit of {limit:,} samples")
        yield block


class _Taken:
    """A file of which at most so many bytes are taken, and counted."""

    def __init__(self, file: BinaryIO, most: int | None) -> None:
        self._read = file.read1 if hasattr(file, "read1") else file.read
        self._most, self.size = most, 0

    def read1(self, count: int) -> bytes:
        """Bytes that are there, at most so many; wait for the first."""
        left = count if self._most is None else min(count, self._most - self.size)
        data: bytes = self._read(left) if left else b""
        self.size += len(data)
        return data
