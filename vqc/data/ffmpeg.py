"""Sound that libsndfile does not read, decoded by FFmpeg through PyAV (extra `av`).

It is AAC and Apple Lossless in M4A and MP4, AAC alone, Opus and Vorbis in WebM and Matroska.

    file → first sound in it → temporary W64 file of 32-bit floats → read as any other
"""

from __future__ import annotations

import tempfile
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import soundfile

from vqc.data.channel_layout import equals_default
from vqc.data.file_signatures import HEAD_BYTES, not_media
from vqc.data.formats import extra_at_hand
from vqc.errors import MediaError
from vqc.format.shapes import MAX_CHANNELS, SAMPLE_RATES

_PLACES = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")  # FFmpeg's names of bits in a mask
_SHORT_SECONDS = 0.5  # that a whole file may lack of what it declares: decoders leave off some at both ends
_TAGS = {"track": "tracknumber"}  # FFmpeg's names where libsndfile's differ


class Decoded(NamedTuple):
    """A decoded file, and what is known of it besides."""

    file: BinaryIO  # temporary, W64
    channel_mask: int | None  # as of `Recording`
    tags: dict[str, str]


def decode_sound(file: BinaryIO, name: str) -> Decoded:
    """Decode the first sound of a file.

    Raises:
        MediaError: PyAV is not installed; the file is damaged, cut short or has no sound.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not extra_at_hand("av"):
        raise not_media(name, head)
    import av

    file.seek(0)
    held: Any = tempfile.TemporaryFile()  # noqa: SIM115, whoever gets it closes it
    try:
        with av.open(file, mode="r", metadata_errors="replace") as container:
            if not container.streams.audio:
                raise MediaError(f"{name}: has no sound in it; give vqc images and audio")
            stream = container.streams.audio[0]
            seconds = _seconds(stream, container, av.time_base)
            written = _write(container, stream, held, name)
            tags = {_TAGS.get(key.lower(), key.lower()): value for key, value in container.metadata.items()}
            layout, rate = stream.layout, stream.rate
        if written < (seconds - _SHORT_SECONDS) * rate:
            raise _damaged(name)
    except BaseException as error:
        held.close()
        if isinstance(error, av.error.FFmpegError):
            raise _damaged(name) from error
        raise
    held.seek(0)
    return Decoded(held, _mask(layout), tags)


def _seconds(stream: Any, container: Any, time_base: int) -> float:
    """The length that the file declares; 0 if it declares none."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / time_base


def _write(container: Any, stream: Any, target: BinaryIO, name: str) -> int:
    """Write all samples; return how many there are per channel."""
    from av import AudioResampler

    rate, channels, count = stream.rate, len(stream.layout.channels), 0
    if rate not in SAMPLE_RATES or not 1 <= channels <= MAX_CHANNELS:
        raise _damaged(name)
    packed = AudioResampler(format="flt", layout=stream.layout, rate=rate)
    with soundfile.SoundFile(target, "w", rate, channels, format="W64", subtype="FLOAT") as sound:
        for frame in container.decode(stream):
            for part in packed.resample(frame):
                samples: Any = part.to_ndarray().reshape(-1, channels)  # [n, C]
                sound.write(np.clip(samples, -1, 1))  # decoders overshoot
                count += len(samples)
    if not count:
        raise _damaged(name)
    return count


def _mask(layout: Any) -> int | None:
    """Where the channels stand, as in WAV: FFmpeg has them in the order of these bits."""
    names = [channel.name for channel in layout.channels]
    mask = sum(1 << _PLACES.index(each) for each in names) if set(names) <= {*_PLACES} else 0
    return None if len(names) <= 2 or equals_default(mask, len(names)) else mask


def _damaged(name: str) -> MediaError:
    return MediaError(f"{name}: is damaged or cut short; get it again, or convert it to WAV or FLAC")
