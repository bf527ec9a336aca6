"""A recording in another voice: compressed with a model of kind `voice`, and restored with the traits of another.

    recording ─► codes, traits ─ traits of the voice that is asked for ─► recording
                                 ▲ a name that comes with the model, or a few seconds of anybody

Only the codes of a recording are held, as by the codec, so any length takes little memory. What is written carries a
comment that says what it is.
"""

from __future__ import annotations

import time
from typing import cast

from vqc.atomic import check_target, path_of
from vqc.codec.api import gather
from vqc.codec.audio_io import AudioFiles, Blocks, Recording
from vqc.codec.codec import Codec
from vqc.codec.files import Input, Output
from vqc.codec.inspect.report import Report
from vqc.codec.limits import check_source
from vqc.codec.media import Audio, Media, to_waveform
from vqc.codec.media_files import Writing, source_name, source_size
from vqc.codec.open import Model, open_codec
from vqc.codec.progress import Progress, within
from vqc.codec.rate import Rate
from vqc.codec.voices import Voice, find_voice, in_voice, voice_model
from vqc.data.formats import check_quality
from vqc.data.media_type import path_or_bytes
from vqc.models.voice.traits import PitchPolicy

DEFAULT_MODEL = "voice"


def convert(
    samples: Media,
    sample_rate: int,
    *,
    to: Voice | None,
    pitch: PitchPolicy = "target",
    model: Model = DEFAULT_MODEL,
    device: str = "auto",
) -> Audio:
    """What somebody says, in another voice: `Audio` of the same length, channels and sample rate.

    Use it with the consent of whoever's voice it is.

    Args:
        samples: a NumPy array [T] or [T, C] or a tensor [T] or [C, T], float in [-1, 1] or int16.
        sample_rate: samples per second, 1,000 to 1,000,000.
        to: a name of `voices()`, the path of a recording of one person, or its samples and their rate. None: the own
            voice, which shows what is lost without any conversion.
        pitch: "target": at the pitch of that voice; "keep": at that of the recording; or moved by so many semitones.
        model: name or path of a model of kind `voice`, or a loaded one.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.

    Raises:
        MediaError: the samples cannot be used, or no voice is found in the reference.
        OptionError: there is no such voice, or the model is of another kind.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    codec = voice_codec(model, device)
    target = None if to is None else find_voice(codec, to)
    recording = Recording([to_waveform(samples)], sample_rate)
    made = codec.make_file(recording, quality=None, entropy="none", rate=Rate())
    container = made.container if target is None else in_voice(made.container, target, pitch)
    audio = gather(codec.framing, codec.restore(container), container.header.shape, len(made), None)
    return cast(Audio, audio)


def convert_file(
    source: Input,
    target: Output,
    *,
    to: Voice,
    pitch: PitchPolicy = "target",
    model: Model = DEFAULT_MODEL,
    format: str | None = None,
    output_quality: int | None = None,
    device: str = "auto",
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Convert an audio file to another voice; see `convert`. Its comment will say that it is synthetic.

    Args:
        source: path, the bytes of the file, or the file, open for reading.
        target: path of the audio file, which appears whole or not at all; or a file, open for writing.
        format: wav, flac, ogg, opus or mp3; by default that of the target's suffix.
        output_quality: of Ogg, Opus and MP3: 1 to 100.
        limit: largest number of samples per channel; by default what a file may hold.
        overwrite: whether an existing target may be replaced.
        progress: called now and then with the share of the work that is done, 0..1.

    Raises:
        MediaError, OptionError, ModelNotFoundError, CheckpointError: as `convert`.
        OutputError: the target cannot be written, or exists.
    """
    begin, files, given = time.perf_counter(), AudioFiles(), path_or_bytes(source)
    codec = voice_codec(model, device)
    voice = find_voice(codec, to)
    with path_of(target) as path, files.open(given, limit) as (recording, claimed):
        check_target(path, overwrite=overwrite)
        format = files.format_for(path, format, claimed)
        check_quality(format, output_quality)
        length = source_size(given)
        check_source(codec.framing, claimed, length, limit, source_name(given))
        metadata, told = files.metadata(given, recording, "keep"), within(progress, 0, 0.5)
        made = codec.make_file(recording, quality=None, entropy="none", rate=Rate(), metadata=metadata, progress=told)
        container, header = in_voice(made.container, voice, pitch), made.container.header
        restored = codec.restore(container, progress=within(progress, 0.5, 1))
        how = Writing(format, container.metadata, overwrite, output_quality)
        written = files.write(restored, header.shape, path, how)
    return Report.of(
        header,
        codec.name,
        bytes_in=length,
        bytes_out=written,
        vqc_bytes=len(made),
        seconds=time.perf_counter() - begin,
    )


def voices(model: Model = DEFAULT_MODEL) -> tuple[str, ...]:
    """Names of the voices that come with a model of kind `voice`.

    Raises:
        OptionError: the model is of another kind.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    names: tuple[str, ...] = voice_model(voice_codec(model, "cpu")).config.speakers
    return names


def voice_codec(model: Model, device: str) -> Codec[Recording, Blocks]:
    """The codec of a model of kind `voice`; errors are those of `voices`."""
    codec = open_codec("audio", model, device)
    voice_model(codec)
    return codec
