"""Vectors of voices that are fitted to a recording."""

from __future__ import annotations

import pytest
import torch
from made_up_voices import voice
from tiny_models import VOICE
from torch import Tensor
from torch.nn import functional as F

from vqc.models.voice.fitting import fitted_vector
from vqc.models.voice.model import VoiceModel
from vqc.models.voice.traits import active_frames, speech_level
from vqc.nn.pitch import pitch_hz


@pytest.fixture
def model() -> VoiceModel:
    torch.manual_seed(0)
    return VoiceModel(VOICE).eval()


def error(model: VoiceModel, x: Tensor, vector: Tensor) -> float:
    """Of the frames that the decoder makes of a waveform's own codes and pitch."""
    codes, power = model.encode(x, 1), model.mel_power(x)
    active = active_frames(power)
    wanted = model.log_mel(power, speech_level(power, active))
    entries = F.embedding(codes[:, 1:].transpose(1, 2).flatten(1), model.content.codebook)
    change, average = model.decoder(entries, pitch_hz(codes[:, 0]), vector[None])
    return float((average + change - wanted)[active > 0].abs().mean())


@torch.inference_mode()
def test_the_decoder_comes_closer_to_the_voice(model: VoiceModel) -> None:
    x = torch.from_numpy(voice(140, 1_200, 2.0))[None]
    vector = model.observer().traits().vector
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fitted = fitted_vector(model, x, vector)
    assert error(model, x, fitted) < 0.95 * error(model, x, vector)
    assert fitted.abs().max() <= 1
    assert torch.equal(fitted, fitted_vector(model, x, vector))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_is_silent_gives_a_vector_too(model: VoiceModel) -> None:
    vector = torch.full((VOICE.voice_dims,), 0.25)
    assert torch.isfinite(fitted_vector(model, torch.zeros(1, 16_000), vector)).all()
