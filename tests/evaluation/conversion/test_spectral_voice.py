"""Pitch and envelopes of made-up voices, changed by signal processing."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_voices import RATE, pitch, spectrum, voice

from vqc.evaluation.conversion.spectral_voice import BINS, CEPSTRA, Envelopes, shift_pitch, stretch, warped


@pytest.mark.parametrize("factor", [0.4, 0.7, 1.5, 2.5])
def test_what_is_stretched_keeps_its_pitch(factor: float) -> None:
    samples = voice(125, 900)
    longer = stretch(samples, factor)
    assert len(longer) == round(factor * len(samples))
    if factor > 0.5:  # there is enough of it to measure
        middle = longer[len(longer) // 4 : -len(longer) // 4].astype(np.float64)
        correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
        assert 40 + int(correlation[40:200].argmax()) == pytest.approx(RATE / 125, abs=1)


@pytest.mark.parametrize("ratio", [0.6, 0.8, 1.25, 1.8])
def test_a_shift_moves_pitch_and_formants_and_keeps_the_length(ratio: float) -> None:
    samples = voice(125, 1_000)
    shifted = shift_pitch(samples, ratio)
    assert len(shifted) == len(samples)
    assert pitch(shifted) == pytest.approx(125 * ratio, rel=0.03)
    power = spectrum(shifted) ** 2
    centre = 2 * (power * np.arange(len(power))).sum() / power.sum()
    assert centre == pytest.approx(1_000 * ratio, rel=0.06)


def test_silence_and_a_ratio_of_one_stay_what_they_are() -> None:
    silence = np.zeros(8_000, np.float32)
    assert not shift_pitch(silence, 1.4).any()
    samples = voice(150, 700)
    assert shift_pitch(samples, 1.0) is samples


def test_a_clip_with_its_own_envelope_is_itself() -> None:
    envelopes, samples = Envelopes(), voice(140, 1_200)[:-70]  # not whole frames
    own = envelopes.of(samples)
    assert own.shape == (100, CEPSTRA)
    assert np.abs(envelopes.with_envelope(samples, own) - samples).max() < 1e-4


def test_a_louder_first_cepstrum_is_a_louder_clip() -> None:
    envelopes, samples = Envelopes(), voice(140, 1_200)
    louder = envelopes.of(samples)
    louder[:, 0] += np.sqrt(40) * np.log(4)  # of power, in each of the 40 bands
    changed = envelopes.with_envelope(samples, louder)
    assert np.abs(changed - 2 * samples).max() < 0.02


def test_a_warped_envelope_has_its_peak_elsewhere() -> None:
    at = np.arange(BINS)
    peak = -np.abs(at - 100.0)[None]
    assert warped(peak, 1.2)[0].argmax() == 120
    assert warped(peak, 0.8)[0].argmax() == 80
    assert np.array_equal(warped(peak, 1.0), peak)
