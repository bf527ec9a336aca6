"""The task of `voice` models: from content in disguise, pitch, and another crop of the voice, frames of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.data.batches import Prefetched
from vqc.data.data_source import evenly_spaced
from vqc.models.config import Config, limited
from vqc.models.voice.model import REFERENCE_LEVEL, VoiceModel
from vqc.models.voice.networks import SCALE
from vqc.models.voice.traits import active_frames, speech_level
from vqc.nn.pitch import pitch_hz
from vqc.nn.precision import in_float32
from vqc.training.loop.task import Losses, Task
from vqc.training.speech.losses import SpeechLoss
from vqc.training.voice.data import VoiceBatch, VoiceData

_TEMPERATURE = 0.1  # of the similarity of vectors
_NOBODY = 0.05  # of the rows: without a voice, for files that tell none
_STEPS = 127  # to which a vector is rounded in files


@dataclass(frozen=True, kw_only=True)
class VoiceTaskConfig(Config):
    """Settings of crops and losses.

    content: model file of kind voice whose content encoder is taken over; scripts/recipes/voice-content makes it.
    speakers: for each of model.speakers, what is in the names of the recordings of this voice.
    sources: the speech model whose network of pulses and noise is taken over; empty: it is learnt from nothing.
    spoken: weight of the losses of waveforms, for which the frames are spoken; 0: frames alone are compared.
    """

    source_shares: tuple[float, ...] = limited((), 0)
    leave_out: str = ""  # items with this in their names are not trained on
    speakers: tuple[str, ...] = ()
    content: str = ""
    sources: str = "speech"
    batch_size: int = limited(16, 2)
    frames: int = limited(100, 1)  # of 20 ms in a crop
    reference_seconds: float = limited(3.0, 0.1)  # of the other crop of the voice
    dropout: float = limited(0.15, 0, 0.99)  # of the vector
    average: float = limited(0.5, 0)  # weights of the losses
    contrast: float = limited(0.05, 0)
    change: float = limited(0.5, 0)
    spoken: float = limited(0.0, 0)
    contrast_share: float = limited(0.7, 0, 1)  # of the deviation that predicted frames lack, how much is made up for
    validation_utterances: int = limited(24, 1)
    table_utterances: int = limited(300, 1)  # training utterances from which the tables are counted


class VoiceTask(Task):
    """Distance of predicted log-mel frames, and vectors that tell voices apart; codes and pitch are as they are."""

    model: VoiceModel

    def __init__(self, model: VoiceModel, data: VoiceData, config: VoiceTaskConfig, *, seed: int) -> None:
        self.model, self.data, self.config, self.seed = model, data, config, seed
        self.networks = (model.decoder, model.speaker)
        self.speech_loss = SpeechLoss()
        self.batches = Prefetched(self._batch)
        for module, learns in ((model.content, False), (model.sources, config.spoken > 0 or not config.sources)):
            module.requires_grad_(learns)

    def batch(self, step: int) -> VoiceBatch:
        batch: VoiceBatch = self.batches(step)
        return batch

    def _batch(self, step: int) -> VoiceBatch:
        config, generator = self.config, np.random.default_rng((self.seed, step))
        return self.data.batch(config.batch_size, config.frames, config.reference_seconds, generator)

    def loss(self, batch: VoiceBatch, step: int) -> Losses:
        return self._loss(batch.waveform, batch, step)

    @in_float32
    def _loss(self, waveform: Tensor, batch: VoiceBatch, step: int) -> Losses:
        config = self.config
        wanted, active = self.frames(waveform)
        other = self.vectors(batch.other)
        own = self.model.speaker(wanted, active)
        kept = torch.rand(len(other), 1, device=other.device) > _NOBODY
        change, average = self.predicted(batch, F.dropout(other, config.dropout) * kept)
        terms = self._frame_terms(average + change, wanted)
        means = (wanted * active[..., None]).sum(1) / active.sum(1).clamp_min(1)[:, None]
        terms["average"] = SCALE * (average[:, 0] - means).abs().mean()
        terms["contrast"] = told_apart(own, other, batch.voice)
        weights = {"mel": 1.0, "change": config.change, "average": config.average, "contrast": config.contrast}
        if config.spoken:
            spoken = self.model.synthesize(average + change, pitch_hz(batch.pitch), step * 1000)
            terms["spoken"] = self.speech_loss(spoken, waveform, carries_waveform=False).total
            weights["spoken"] = config.spoken
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})

    def _frame_terms(self, found: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Mean absolute errors of frames and of their changes over 10 ms."""
        difference = SCALE * (found - wanted)
        return {"mel": difference.abs().mean(), "change": (difference[:, 1:] - difference[:, :-1]).abs().mean()}

    @torch.no_grad()
    def frames(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Frames [B, N, mels] as networks see them, the waveforms [B, T] being at their level; which hold speech."""
        power = self.model.mel_power(waveform)
        level = power.new_full((len(power),), REFERENCE_LEVEL)
        return self.model.log_mel(power, level), active_frames(power)

    def vectors(self, waveform: Tensor) -> Tensor:
        """Vectors [B, dims] of waveforms [B, T], each brought to the reference level by itself; rounded as in files."""
        with torch.no_grad():
            power = self.model.mel_power(waveform)
            active = active_frames(power)
            log_mel = self.model.log_mel(power, speech_level(power, active))
        vector: Tensor = self.model.speaker(log_mel, active)
        return vector + ((vector * _STEPS).round() / _STEPS - vector).detach()

    def predicted(self, batch: VoiceBatch, vector: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder makes of a batch in the voice of vectors [B, dims]: see `VoiceDecoder`."""
        entries = F.embedding(batch.content, self.model.content.codebook)
        found: tuple[Tensor, Tensor] = self.model.decoder(entries, pitch_hz(batch.pitch), vector)
        return found

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """The error of frames in dB on held-out voices; the score."""
        device, errors = self.model.mel.device, []
        for one in self.held_out():
            batch = VoiceBatch(*(part.to(device) for part in one))
            wanted, active = self.frames(batch.waveform)
            change, average = self.predicted(batch, self.vectors(batch.other))
            error = (average + change - wanted).abs().mean(-1)
            errors.append(float((error * active).sum() / active.sum().clamp_min(1)))
        decibels = float(np.mean(errors)) * 10 / np.log(10)
        return {"score": decibels, "log_mel_db": decibels}

    def held_out(self) -> Sequence[VoiceBatch]:
        """Validation utterances."""
        chosen = evenly_spaced(self.data.dataset.validation, self.config.validation_utterances)
        return [self.data.whole(i, 8.0) for i in chosen]


def told_apart(own: Tensor, other: Tensor, voice: Tensor) -> Tensor:
    """Cross-entropy of finding the other vector [B, dims] of a voice among those of other voices, in nats.

    Args:
        voice: [B] numbers; rows of the same voice are no wrong answers.
    """
    a, b = nn.functional.normalize(own, dim=-1), nn.functional.normalize(other, dim=-1)
    similarity = a @ b.T / _TEMPERATURE
    rivals = (voice[:, None] == voice) & ~torch.eye(len(voice), dtype=torch.bool, device=voice.device)
    similarity = similarity.masked_fill(rivals, -1e4)
    wanted = torch.arange(len(voice), device=voice.device)
    return 0.5 * (F.cross_entropy(similarity, wanted) + F.cross_entropy(similarity.T, wanted))
