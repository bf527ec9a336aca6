"""The task of `phones` models: their codes are there from the start, the decoder learns to speak from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.models.phones.model import HOP, PhonesModel, subtract_mean
from vqc.nn.pitch import PITCH_HOP, VOICING_THRESHOLD, periodicity
from vqc.nn.precision import in_float32
from vqc.training.loop.task import Losses, Task
from vqc.training.parts.frozen_codec import FrozenCodec


@dataclass(frozen=True, kw_only=True)
class PhonesTaskConfig(Config):
    """Settings of the data that the codes are found in, and of the decoder's crops."""

    source_shares: tuple[float, ...] = limited((), 0)  # of the utterances from each folder of data; empty: by length
    start_utterances: int = limited(360, 1)  # that projection and codebook are found in
    start_seconds: float = limited(12.0, above=0)  # of each, at most
    batch_size: int = limited(8, 1)
    crop: int = limited(64_000, 1)  # samples
    validation_utterances: int = limited(20, 1)
    table_utterances: int = limited(300, 1)  # training utterances from which the table is counted

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % PITCH_HOP:
            raise ValueError(f"crop is {self.crop} samples; it must be a multiple of {PITCH_HOP}")


class PhonesTask(Task):
    """The decoder's distance from log-mel frames and voicing, with the codes as they are."""

    model: PhonesModel

    def __init__(self, model: PhonesModel, batches: Callable[[int], Tensor], validation: Sequence[Tensor]) -> None:
        """
        Args:
            batches: step → [B, T], T a multiple of 20 ms.
            validation: utterances [1, T], likewise.
        """
        self.model, self.batches, self.validation = model, batches, validation
        self.networks = (model.decoder,)
        self.frozen = FrozenCodec(model, freeze=False)  # its codes stand still, its decoder is trained

    def batch(self, step: int) -> Tensor:
        return self.batches(step)

    def loss(self, batch: Tensor, step: int) -> Losses:
        mel, voicing = self._errors(batch)
        return Losses(mel + voicing, {"mel": mel.detach(), "voicing": voicing.detach()})

    def _errors(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Mean absolute error of normalised log-mel frames, cross-entropy of the voicing in nats."""
        entries, wanted, voiced = self._targets(waveform)
        spoken = self.model.decoder(entries)
        mel = (spoken.log_mel - wanted).abs().mean()
        return mel, F.binary_cross_entropy_with_logits(spoken.voicing, voiced.to(mel))

    @torch.no_grad()
    @in_float32
    def _targets(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Entries [B, frames, D] that a file gives the decoder of [B, T], and the frames and the voicing to predict."""
        entries = F.embedding(self.frozen.encode(waveform, 1)[:, 0], self.model.quantizer.codebook)
        voiced = (periodicity(waveform).amax(-1) > VOICING_THRESHOLD).repeat_interleave(PITCH_HOP // HOP, 1)
        return entries, subtract_mean(self.model.log_mel(waveform)), voiced

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """The same errors on held-out speech; the score is their sum."""
        device = self.model.average.device
        pairs = [self._errors(waveform.to(device)) for waveform in self.validation]
        mel, voicing = (float(torch.stack(part).mean()) for part in zip(*pairs, strict=True))
        return {"score": mel + voicing, "mel": mel, "voicing": voicing}
