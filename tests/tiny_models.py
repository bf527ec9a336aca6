"""Configs of models that are small enough to train in a test."""

from __future__ import annotations

from vqc.models.speech.model import SpeechConfig
from vqc.models.voice.model import VoiceConfig

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
VOICE = VoiceConfig(
    content_mels=8,
    content_mean=20,
    content_width=8,
    content_hidden=6,
    content_dilations=(1, 2),
    content_voice=(1,),
    content_reach=5,
    content_size=24,
    content_dim=6,
    mels=12,
    width=8,
    blocks=1,
    voice_dims=5,
    voice_width=6,
    source_width=8,
    source_blocks=1,
    speakers=("anna", "ben"),
)
