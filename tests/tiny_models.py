"""Configs of models that are small enough to train in a test."""

from __future__ import annotations

from vqc.models.speech.model import SpeechConfig

SPEECH = SpeechConfig(
    mels=16,
    width=16,
    encoder_blocks=1,
    decoder_blocks=1,
    envelope_groups=((2, 1, 16), (2, 2, 16)),
    waveform_groups=((10, 4, 16),),
    qualities=2,
    first_waveform_quality=2,
    default_quality=1,
)
