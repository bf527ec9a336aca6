"""The traits of a voice: what a file of the `voice` codec says once of all of a recording, in some bytes.

    bytes  trait   value
    D      vector  of the speaker, signed: -127..127 for [-1, 1]
    1      level   of the speech: natural logarithm of the power, (byte - 200) / 10
    1      pitch   mean state of the voiced frames (see `vqc.nn.pitch`), byte / 2
    1      shift   signed: states by which the pitch is moved as it is restored

To convert a recording is to replace its vector and to set the shift; all codes stay as they are.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.models.base import TraitObserver
from vqc.nn.pitch import HIGHEST_HZ, LOWEST_HZ, PITCH_HOP, PITCH_STATES, track_pitch

PitchPolicy = Literal["target", "keep"] | float  # a number: semitones

SCALARS = 3  # bytes after the vector
STATES_OF_A_SEMITONE = math.log(2) / 12 * (PITCH_STATES - 2) / math.log(HIGHEST_HZ / LOWEST_HZ)
_VECTOR_STEPS, _LEVEL_ZERO, _LEVEL_STEPS, _PITCH_STEPS, _MOST_SHIFT = 127, 200, 10, 2, 127
_NO_PITCH = 1 + (PITCH_STATES - 1) / 2  # where nothing is voiced
ACTIVE_RANGE = 5.0  # nepers of power below the loud frames: what is fainter is no speech
_FULL_SCALE = 0.999
_FRAME_SECONDS = 0.01
_FAINTEST = 1e-9  # power: silence
_LOUD = 0.95  # the quantile that tells how loud the loud frames are


class Traits(NamedTuple):
    """The traits of a voice, and of a recording that it speaks."""

    vector: Tensor  # [D] in [-1, 1]
    level: float  # natural logarithm of the mean power in a mel band, of frames with speech
    pitch: float  # mean state
    shift: int = 0  # states

    def to_bytes(self) -> bytes:
        """The bytes in a file."""
        vector = (self.vector * _VECTOR_STEPS).round().clamp(-_VECTOR_STEPS, _VECTOR_STEPS).to(torch.int8)
        scalars = [
            min(255, max(0, round(self.level * _LEVEL_STEPS) + _LEVEL_ZERO)),
            min(255, max(0, round(self.pitch * _PITCH_STEPS))),
            min(_MOST_SHIFT, max(-_MOST_SHIFT, self.shift)) % 256,
        ]
        return vector.cpu().numpy().tobytes() + bytes(scalars)

    @classmethod
    def from_bytes(cls, data: bytes) -> Traits:
        """What `to_bytes` made."""
        vector = torch.from_numpy(np.frombuffer(data[:-SCALARS], np.int8).astype(np.float32)) / _VECTOR_STEPS
        level, pitch, shift = data[-SCALARS:]
        return cls(
            vector, (level - _LEVEL_ZERO) / _LEVEL_STEPS, pitch / _PITCH_STEPS, shift - 256 * (shift > _MOST_SHIFT)
        )

    def in_voice_of(self, target: Traits, pitch: PitchPolicy) -> Traits:
        """The traits of this recording when another voice speaks it: at that voice's pitch, this one's, or moved."""
        shift = self.shift
        if pitch == "target":
            shift = round(target.pitch + target.shift - self.pitch)
        elif pitch != "keep":
            shift += round(float(pitch) * STATES_OF_A_SEMITONE)
        return self._replace(vector=target.vector, shift=max(-_MOST_SHIFT, min(_MOST_SHIFT, shift)))


def shifted_pitch(states: Tensor, shift: Tensor | int) -> Tensor:
    """Pitch states int64 [...] moved by so many, as far as there are states; what is unvoiced stays so."""
    return torch.where(states > 0, (states + shift).clamp(1, PITCH_STATES - 1), states)


def loudness(power: Tensor) -> Tensor:
    """Natural logarithm of the mean power of the bands of frames [..., N, mels]: [..., N]."""
    return torch.log(power.mean(-1) + _FAINTEST)


def active_frames(power: Tensor) -> Tensor:
    """Which frames of [B, N, mels] hold speech, as 0 and 1 [B, N]: those not much fainter than the loud ones."""
    level = loudness(power)
    return (level > torch.quantile(level, _LOUD, dim=-1, keepdim=True) - ACTIVE_RANGE).to(power)


def speech_level(power: Tensor, active: Tensor) -> Tensor:
    """Mean loudness [B] of the active frames of [B, N, mels]."""
    return (loudness(power) * active).sum(-1) / active.sum(-1).clamp_min(1)


class VoiceObserver(TraitObserver):
    """Finds the traits of a recording, which it is given piece by piece."""

    def __init__(self, model: Any) -> None:
        self.model = model  # a `VoiceModel`
        self.sums: Tensor | None = None  # of the features of frames: see `SpeakerEncoder.sums`
        self.frames = self.level = 0.0  # weighted
        self.pitches, self.voiced = 0.0, 0  # sum of states, and of how many frames
        self.active, self.peak = 0.0, 0.0  # frames of 10 ms with speech; largest sample
        self.clipped = 0  # samples at full scale
        self.steady = self.neighbours = 0  # pairs of voiced frames, with the same pitch and in all

    @torch.inference_mode()
    def add(self, waveforms: NDArray[np.float32]) -> None:
        if not waveforms.size:
            return
        self.peak = max(self.peak, float(np.abs(waveforms).max()))
        self.clipped += int((np.abs(waveforms) >= _FULL_SCALE).sum())
        heard = torch.from_numpy(waveforms).to(self.model.mel.device).clamp(-1, 1)
        power = self.model.mel_power(heard)
        active = active_frames(power)
        level = speech_level(power, active)
        weights = active * torch.exp(level / 2)[:, None]  # loud pieces tell more
        sums = self.model.speaker.sums(self.model.log_mel(power, level), weights).sum(0)
        self.sums = sums if self.sums is None else self.sums + sums
        self.frames += float(weights.sum())
        self.level += float((weights.sum(-1) * level).sum())
        states = track_pitch(heard)
        self.pitches, self.voiced = self.pitches + float(states.sum()), self.voiced + int((states > 0).sum())
        both = (states[:, 1:] > 0) & (states[:, :-1] > 0)
        self.steady += int(((states[:, 1:] == states[:, :-1]) & both).sum())
        self.neighbours += int(both.sum())
        self.active += float(active.sum())

    @property
    def active_seconds(self) -> float:
        """Seconds with sound that may be speech."""
        return self.active * _FRAME_SECONDS

    @property
    def voiced_seconds(self) -> float:
        """Seconds with a pitch."""
        return self.voiced * PITCH_HOP / float(self.model.sample_rate)

    @property
    def steadiness(self) -> float:
        """Share of neighbouring voiced frames with the same pitch, 0 to 1: tones keep theirs, voices hardly do."""
        return self.steady / self.neighbours if self.neighbours else 0.0

    @torch.inference_mode()
    def traits(self) -> Traits:
        """The traits of all that was added; of nothing, those of no voice in particular."""
        if self.sums is None or not self.frames:
            return Traits(torch.zeros(self.model.config.voice_dims), -_LEVEL_ZERO / _LEVEL_STEPS, _NO_PITCH)
        pitch = self.pitches / self.voiced if self.voiced else _NO_PITCH
        vector: Tensor = self.model.speaker.vector(self.sums[None] / self.frames)[0]
        return Traits(vector.cpu(), self.level / self.frames, pitch)

    def finish(self) -> bytes:
        """The traits as a file has them."""
        return self.traits().to_bytes()
