"""The voice model: codes of whole frames, a voice that comes from outside, chunks that fit together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import VOICE

from vqc.models.voice.model import VoiceModel
from vqc.models.voice.traits import Traits


@pytest.fixture(scope="module")
def model() -> VoiceModel:
    torch.manual_seed(0)
    model = VoiceModel(VOICE).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


def voice(seconds: float, hz: float = 150.0, seed: int = 0) -> torch.Tensor:
    """Pulses with some noise, [1, T]: not speech, but with a pitch."""
    t = torch.arange(int(seconds * 50) * 320) / 16_000
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(seed))
    return (0.1 * sum(torch.cos(2 * torch.pi * k * hz * t) / k for k in range(1, 8)) + 0.003 * noise)[None]


def test_a_code_frame_has_a_pitch_and_two_content_codes(model: VoiceModel) -> None:
    codes = model.encode(voice(1.0), 1)
    assert codes.shape == (1, 3, 50)
    assert [int(part.max()) < size for part, size in zip(codes[0], model.codebook_sizes(1), strict=True)] == [True] * 3
    assert (codes[0, 0] > 0).float().mean() > 0.8
    assert model.decode(codes, 1).shape == (1, 16_000)


def test_pitch_is_coded_as_its_change(model: VoiceModel) -> None:
    codes = np.array([[0, 40, 41, 41, 0, 41], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    symbols = model.to_symbols(codes)
    assert symbols[0, 3] == 0
    assert np.array_equal(symbols[1:], codes[1:])
    assert np.array_equal(model.from_symbols(symbols), codes)


def observed(model: VoiceModel, waveform: torch.Tensor) -> Traits:
    observer = model.observer()
    observer.add(waveform.numpy())
    return observer.traits()


def test_traits_tell_pitch_and_level(model: VoiceModel) -> None:
    low, high, loud = (observed(model, x) for x in (voice(2, 100), voice(2, 200), 2 * voice(2, 100)))
    states_of_an_octave = np.log(2) * 126 / np.log(400 / 60)
    assert high.pitch - low.pitch == pytest.approx(states_of_an_octave, abs=1)
    assert loud.level - low.level == pytest.approx(np.log(4), abs=0.01)
    assert torch.allclose(loud.vector, low.vector, atol=1e-3)  # which the level does not touch


def test_the_observer_sees_a_recording_in_pieces_as_in_one(model: VoiceModel) -> None:
    whole, x = observed(model, voice(4)), voice(4).numpy()
    observer = model.observer()
    for start in range(0, x.shape[1], 16_000):
        observer.add(x[:, start : start + 16_000])
    parts = observer.traits()
    assert parts.level == pytest.approx(whole.level, abs=0.05)
    assert parts.pitch == pytest.approx(whole.pitch, abs=0.5)
    assert (parts.vector - whole.vector).abs().max() < 0.1


def test_a_silent_recording_has_traits(model: VoiceModel) -> None:
    assert len(model.observer().finish()) == model.trait_bytes
    assert torch.equal(observed(model, torch.zeros(1, 16_000)).vector.isfinite(), torch.ones(VOICE.voice_dims).bool())


def test_another_vector_sounds_different_and_the_level_is_a_gain(model: VoiceModel) -> None:
    codes, own = model.encode(voice(1), 1), observed(model, voice(1))
    other = replace_vector(own, -own.vector)
    first, second = (model.decode_with(t.to_bytes(), codes, 1) for t in (own, other))
    assert (first - second).abs().max() > 1e-3
    quiet = model.decode_with(own._replace(level=own.level - 2).to_bytes(), codes, 1)
    assert torch.allclose(first * np.exp(-1), quiet, atol=1e-4)


def replace_vector(traits: Traits, vector: torch.Tensor) -> Traits:
    return traits._replace(vector=vector)


def test_a_shift_moves_the_pitch_of_what_is_heard(model: VoiceModel) -> None:
    from vqc.nn.pitch import track_pitch

    plain = VoiceModel(VOICE).eval()  # untrained: pulses and noise at equal power
    codes, own = plain.encode(voice(2, 110), 1), observed(plain, voice(2, 110))
    with torch.no_grad():
        plain.sources.output.bias[sum(plain.sources.sizes[:2]) :] = -3.0  # next to no noise
        heard = [track_pitch(plain.decode_with(own._replace(shift=s).to_bytes(), codes, 1)) for s in (0, 30)]
    middle = [states[0][states[0] > 0].float().median() for states in heard]
    assert middle[1] - middle[0] == pytest.approx(30, abs=1)


def test_context_of_the_halo_is_enough_to_decode(model: VoiceModel) -> None:
    codes, traits, halo = model.encode(voice(4), 1), observed(model, voice(4)).to_bytes(), model.decoder_halo
    codes[:, 0] = 0  # pulses go on from where a voice began; noise has places
    whole = model.decode_with(traits, codes, 1)
    first, last = 60, 120
    part = model.decode_with(traits, codes[..., first - halo : last + halo], 1, first_frame=first - halo)
    inner = part[:, halo * 320 : (halo + last - first) * 320]
    assert torch.allclose(inner, whole[:, first * 320 : last * 320], atol=1e-5)


def test_voices_come_by_name(model: VoiceModel) -> None:
    model.voices[1] = torch.tensor(list(Traits(torch.ones(VOICE.voice_dims), -2, 50).to_bytes()))
    found = model.voice("ben")
    assert (found.vector.tolist(), found.pitch) == ([1] * VOICE.voice_dims, 50)
    with pytest.raises(KeyError):
        model.voice("nobody")


def test_a_model_may_have_no_voices() -> None:
    assert VoiceModel(replace(VOICE, speakers=())).voices.shape == (0, VOICE.voice_dims + 3)
