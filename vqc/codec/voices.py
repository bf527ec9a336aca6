"""The voices that recordings can be restored in: those that come with a model, and those of other recordings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from vqc._version import __version__
from vqc.codec.codec import Codec
from vqc.codec.media import to_waveform
from vqc.data.audio_files import AudioReader, Samples, resample
from vqc.errors import MediaError, MediaWarning, OptionError, did_you_mean
from vqc.format.metadata import Metadata
from vqc.models.voice.fitting import FITTED_SECONDS, fitted_vector
from vqc.models.voice.model import VoiceModel
from vqc.models.voice.traits import PitchPolicy, Traits

Voice: TypeAlias = str | os.PathLike[str] | tuple[Any, int]  # a name, a recording, or samples and their rate
SYNTHETIC = f"Synthetic speech: the voice was changed by vqc {__version__}"  # the comment in files

LEAST_SECONDS, MOST_SECONDS = 1.0, 300.0  # of a reference; what comes later in a longer one is not looked at
_PIECE = 81_920  # samples that the observer is given at once, as of a file
# Of 60 speakers 0.55 to 1.2 of what sounds is voiced, and 0.25 to 0.78 of the pitch stays the same for 20 ms; of tones
# and chords more than 0.88 does.
_LEAST_VOICED, _LEAST_VOICED_SHARE = 0.4, 0.25  # seconds with a pitch, and of those with sound
_MOST_STEADY = 0.85
_SILENT = 1e-3  # a peak of -60 dB
_MOST_CLIPPED = 5e-4  # of the samples


def voice_model(codec: Codec[Any, Any]) -> VoiceModel:
    """The model of a codec; OptionError when it cannot change voices."""
    if not isinstance(codec.model, VoiceModel):
        raise OptionError(f"the model {codec.name} cannot change voices; use the model voice, also to compress")
    return codec.model


def in_voice(source: Any, voice: Traits, pitch: PitchPolicy) -> Any:
    """The file, as a `Container` or a `StoredFile`, that has the same codes in another voice, and says so."""
    own = Traits.from_bytes(source.traits) if source.traits else None
    traits = voice if own is None else own.in_voice_of(voice, pitch)
    return replace(source, traits=traits.to_bytes(), metadata=_as_synthetic(source.metadata))


def _as_synthetic(metadata: Metadata) -> Metadata:
    """The metadata, with the comment that the speech is synthetic in place of another."""
    kept = tuple((name, value) for name, value in metadata.tags if name != "comment")
    return replace(metadata, tags=(*kept, ("comment", SYNTHETIC)))


def find_voice(codec: Codec[Any, Any], to: Voice) -> Traits:
    """The traits of a voice that comes with the model, or of the one in a recording.

    Raises:
        OptionError: there is no such voice, and no such file.
        MediaError: the recording cannot be read, is shorter than `LEAST_SECONDS`, or no voice is found in it.
    """
    model = voice_model(codec)
    if isinstance(to, tuple):
        samples, rate = to
        return voice_in(model, [to_waveform(samples)], rate, "the reference")
    name = os.fspath(to)
    if name in model.config.speakers:
        return model.voice(name)
    if not os.path.exists(name):  # noqa: PTH110
        known = ", ".join(model.config.speakers) or "none"
        hint = did_you_mean(name, model.config.speakers)
        raise OptionError(f"{name}: there is no such voice or file{hint}; voices of {codec.name}: {known}")
    about = os.stat(name)  # noqa: PTH116
    return _voice_of_file(model, name, (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns))


@lru_cache(maxsize=2)
def _voice_of_file(model: VoiceModel, name: str, _version: tuple[int, ...]) -> Traits:
    """The traits of the voice in a recording, once for all files of a folder that shall have it."""
    with AudioReader(name) as reader:
        return voice_in(model, reader.blocks(), reader.sample_rate, name)


def voice_in(model: VoiceModel, blocks: Iterable[Samples], sample_rate: int, name: str) -> Traits:
    """The traits of the voice in a recording, given as blocks [n, C]; `name` is that in errors: see `find_voice`."""
    mono = (block.mean(axis=1, keepdims=True, dtype=np.float32) for block in blocks)
    observer, held, heard = model.observer(), np.zeros(0, np.float32), 0
    beginning, longest = held, round(FITTED_SECONDS * model.sample_rate)
    for block in resample(mono, sample_rate, model.sample_rate, 1):
        held, heard = np.concatenate([held, block[:, 0]]), heard + len(block)
        beginning = np.concatenate([beginning, block[: longest - len(beginning), 0]])
        while len(held) >= _PIECE:
            observer.add(held[None, :_PIECE])
            held = held[_PIECE:]
        if heard >= MOST_SECONDS * model.sample_rate:
            break
    observer.add(_padded(held, model.hop_length))
    if heard < LEAST_SECONDS * model.sample_rate:
        raise MediaError(
            f"{name}: has {heard / model.sample_rate:.1f} s, and a voice takes at least {LEAST_SECONDS:g} s; give "
            "more, 10 s are enough"
        )
    if observer.peak < _SILENT:
        raise MediaError(f"{name}: is silent; give a recording of one person who speaks")
    voiced = observer.voiced_seconds
    least = max(_LEAST_VOICED, _LEAST_VOICED_SHARE * observer.active_seconds)
    if voiced < least or observer.steadiness > _MOST_STEADY:
        raise MediaError(f"{name}: no voice is found in it; give a recording of one person who speaks, without music")
    if observer.clipped > _MOST_CLIPPED * heard:
        warnings.warn(MediaWarning(f"{name}: is clipped, and the voice will be rough; record it quieter"), stacklevel=2)
    traits, first = observer.traits(), torch.from_numpy(_padded(beginning, model.hop_length))
    return traits._replace(vector=fitted_vector(model, first, traits.vector))


def _padded(samples: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Samples [T] as a piece [1, T'] of whole code frames; with none at all, an empty one."""
    return np.pad(samples, (0, -len(samples) % hop))[None]
