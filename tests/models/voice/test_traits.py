"""The traits of a voice in bytes, and what happens to them when another voice takes over."""

from __future__ import annotations

import torch

from vqc.models.voice.traits import STATES_OF_A_SEMITONE, Traits, shifted_pitch
from vqc.nn.pitch import pitch_hz


def test_traits_come_back_from_their_bytes() -> None:
    vector = torch.tensor([-1.0, -0.5, 0.0, 1 / 127, 1.0])
    for shift in (-127, -1, 0, 5, 127):
        traits = Traits(vector, -7.3, 41.5, shift)
        data = traits.to_bytes()
        assert len(data) == len(vector) + 3
        back = Traits.from_bytes(data)
        assert torch.allclose(back.vector, vector, atol=0.5 / 127 + 1e-6)
        assert (round(back.level, 3), back.pitch, back.shift) == (-7.3, 41.5, shift)
        assert back.to_bytes() == data


def test_what_lies_beyond_its_byte_is_cut_off() -> None:
    back = Traits.from_bytes(Traits(torch.tensor([3.0]), 99.0, 500.0, -999).to_bytes())
    assert (float(back.vector), back.level, back.pitch, back.shift) == (1.0, 5.5, 127.5, -127)


def test_another_voice_brings_its_vector_and_its_pitch() -> None:
    own = Traits(torch.zeros(2), -3.0, 30.0)
    target = Traits(torch.ones(2), -9.0, 70.0)
    changed = own.in_voice_of(target, "target")
    assert changed.vector.tolist() == [1, 1]
    assert (changed.level, changed.pitch, changed.shift) == (-3.0, 30.0, 40)
    assert own.in_voice_of(target, "keep").shift == 0
    assert changed.in_voice_of(own, "target").shift == 0  # and back
    assert own.in_voice_of(target, 12.0).shift == round(12 * STATES_OF_A_SEMITONE)


def test_twelve_semitones_are_an_octave() -> None:
    states = torch.tensor([0, 20, 60])
    moved = shifted_pitch(states, round(12 * STATES_OF_A_SEMITONE))
    ratio = pitch_hz(moved)[1:] / pitch_hz(states)[1:]
    assert moved[0] == 0  # unvoiced stays unvoiced
    assert torch.allclose(ratio, torch.full_like(ratio, 2.0), rtol=0.01)
    assert shifted_pitch(states, 500).tolist() == [0, 127, 127]
    assert shifted_pitch(states, -500).tolist() == [0, 1, 1]
