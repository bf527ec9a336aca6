"""Models of this project as converters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from vqc.codec.api import Audio
from vqc.codec.audio_io import Recording, recordings_of
from vqc.codec.convert import convert
from vqc.codec.open import open_codec
from vqc.codec.rate import Rate
from vqc.errors import OptionError
from vqc.evaluation.conversion.judges import RATE, Clip
from vqc.evaluation.conversion.trials import Trial
from vqc.models.files.checkpoint import LoadedModel, ModelInfo, load_checkpoint
from vqc.models.files.zoo import find_by_name
from vqc.models.voice.traits import PitchPolicy


class RestoringModel:
    """A codec for speech that gives back the voice that it is given: what its codes cost, without a conversion."""

    converts = False

    def __init__(self, info: ModelInfo, loaded: LoadedModel, *, by_name: bool, pitch: PitchPolicy) -> None:
        """Take a loaded model.

        Args:
            by_name: whether the model is told who its target is, and not shown a reference.
            pitch: as `vqc.convert` takes it.
        """
        self.name, self.digest = info.name, info.digest
        self.loaded, self.by_name, self.pitch = loaded, by_name, pitch

    def restore(self, clip: Clip) -> Clip:
        """See `vqc.evaluation.conversion.study.Converter`."""
        codec = open_codec("audio", self.loaded, "auto")
        made = codec.make_file(Recording([clip[:, None]], RATE), quality=None, entropy="none", rate=Rate())
        restored = recordings_of(codec.framing).gathered(
            codec.restore(made.container), made.container.header.shape.as_audio
        )
        return _mono(restored, len(clip))

    def convert(self, trial: Trial, clip: Clip) -> Clip:
        """See `vqc.evaluation.conversion.study.Converter`; not called of a model that cannot."""
        raise NotImplementedError


class ConvertingModel(RestoringModel):
    """A model with a voice apart from its codes."""

    converts = True

    def restore(self, clip: Clip) -> Clip:
        return _mono(convert(clip, RATE, to=None, model=self.loaded), len(clip))

    def convert(self, trial: Trial, clip: Clip) -> Clip:
        to = trial.target.speaker if self.by_name else (trial.target.reference, RATE)
        return _mono(convert(clip, RATE, to=to, pitch=self.pitch, model=self.loaded), len(clip))


# Kinds of models that can convert.
CONVERTERS: Mapping[str, type[RestoringModel]] = MappingProxyType({"voice": ConvertingModel})


def open_converter(name: str, *, by_name: bool, pitch: PitchPolicy) -> RestoringModel:
    """A model by its name or file; see `RestoringModel`.

    Raises:
        OptionError: it is for images.
        ModelNotFoundError, CheckpointError: it is not there, or damaged.
    """
    info = find_by_name(name)
    if info.media != "audio":
        raise OptionError(f"{info.name} is a model for images; choose one for speech")
    kind = CONVERTERS.get(info.kind, RestoringModel)
    return kind(info, load_checkpoint(info.path), by_name=by_name, pitch=pitch)


def _mono(audio: Audio, length: int) -> Clip:
    """The mean of the channels of 16 kHz audio, as long as the clip was."""
    samples = audio.samples.mean(1, dtype=np.float32)
    return np.pad(samples, (0, max(0, length - len(samples))))[:length]
