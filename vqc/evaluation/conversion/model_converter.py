"""Models of this project as converters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqc.codec.api import Audio, compress, decompress
from vqc.errors import OptionError
from vqc.evaluation.conversion.judges import RATE, Clip
from vqc.evaluation.conversion.trials import Trial
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint
from vqc.models.files.zoo import find_by_name


@dataclass(frozen=True)
class RestoringModel:
    """A codec for speech that restores what it is given: what its codes cost, without a conversion."""

    name: str
    digest: str
    loaded: LoadedModel
    converts: bool = False

    def restore(self, clip: Clip) -> Clip:
        """See `vqc.evaluation.conversion.study.Converter`."""
        restored = decompress(compress(clip, sample_rate=RATE, model=self.loaded))
        assert isinstance(restored, Audio), "it was of audio"
        return mono(restored, len(clip))

    def convert(self, trial: Trial, clip: Clip) -> Clip:
        """Not called."""
        raise NotImplementedError


def mono(audio: Audio, length: int) -> Clip:
    """The mean of the channels of 16 kHz audio, as long as the clip was."""
    samples = audio.samples.mean(1, dtype=np.float32)
    return np.pad(samples, (0, max(0, length - len(samples))))[:length]


def open_converter(name: str, *, by_name: bool, pitch: str) -> RestoringModel:
    """A model by its name or file.

    Raises:
        OptionError: it is for images.
        ModelNotFoundError, CheckpointError: it is not there, or damaged.
    """
    info = find_by_name(name)
    if info.media != "audio":
        raise OptionError(f"{info.name} is a model for images; choose one for speech")
    return RestoringModel(info.name, info.digest, load_checkpoint(info.path))
