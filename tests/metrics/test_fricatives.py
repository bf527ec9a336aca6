"""Ripple and band energies: known spectra, and the frames that count."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.metrics.fricatives import SAMPLE_RATE, Spectra, band_energy_error, ripple, ripple_error
from vqc.metrics.scores import score_audio

SECONDS = 2
HZ = np.fft.rfftfreq(SECONDS * SAMPLE_RATE, 1 / SAMPLE_RATE)
KEYS = ("ripple_fricatives", "ripple_vowels", "bands_fricatives", "bands_vowels")


def shaped(gain: np.ndarray, seed: int = 0) -> np.ndarray:
    """White noise with this gain at each of `HZ`."""
    noise = np.random.default_rng(seed).normal(0, 0.1, SECONDS * SAMPLE_RATE)
    return np.fft.irfft(np.fft.rfft(noise) * gain).astype(np.float32)


def hiss(seed: int = 0) -> np.ndarray:
    return shaped(np.where(HZ > 3_000, 1.0, 0.1), seed)


def hum() -> np.ndarray:
    """Harmonics of 125 Hz that fall by 12 dB an octave, and a little noise."""
    t = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    tones = sum(np.cos(2 * np.pi * 125 * k * t + k * k) / k**2 for k in range(1, 63))
    return (0.2 * tones + 0.2 * shaped(np.ones_like(HZ))).astype(np.float32)


def test_frames_are_classed_by_where_their_energy_is_and_by_their_period() -> None:
    pause = np.zeros(SAMPLE_RATE, np.float32)
    spectra = Spectra.of(*2 * [np.concatenate([hiss(), pause, hum()])])
    hissing, paused, humming = (slice(5, 195), slice(205, 295), slice(305, 495))
    assert spectra.fricative[hissing].mean() > 0.9
    assert spectra.vowel[humming].mean() > 0.9
    assert not spectra.fricative[humming].any()
    assert not spectra.vowel[hissing].any()
    assert not (spectra.fricative | spectra.vowel)[paused].any()


def test_a_comb_is_seen_and_other_noise_is_not() -> None:
    """Teeth every 240 Hz, 30 dB deep: a cosine of 15 dB has a standard deviation of 10.6 dB."""
    comb = 10 ** (15 * np.cos(2 * np.pi * HZ / 240) / 20)
    same, combed = Spectra.of(hiss(), hiss(seed=1)), Spectra.of(hiss(), shaped(comb * (HZ > 3_000)))
    assert ripple(same.original, same.fricative) == pytest.approx(2.4, abs=0.3)
    assert ripple_error(same, same.fricative) < 0.3
    assert 6 < ripple_error(combed, combed.fricative) < 10


def test_a_slope_is_no_ripple() -> None:
    sloping = Spectra.of(hiss(), shaped(10 ** (-HZ / 8_000) * (HZ > 3_000)))
    assert ripple_error(sloping, sloping.fricative) < 0.3


def test_energies_of_bands_are_compared_one_by_one() -> None:
    """Six of nineteen third octaves up to 8 kHz lie above 2.2 kHz; they are off by 6 dB, the others right."""
    louder = np.where(HZ > 2_240, 10 ** (6 / 20), 1.0)
    original = hiss()
    restored = np.fft.irfft(np.fft.rfft(original) * louder).astype(np.float32)
    spectra = Spectra.of(original, restored)
    assert band_energy_error(spectra, spectra.fricative) == pytest.approx(6 * 6 / 19, abs=0.1)
    for sign in (-1, 1):
        even = Spectra.of(original, (original * 10 ** (sign * 2 / 20)).astype(np.float32))
        assert band_energy_error(even, even.fricative) == pytest.approx(2, abs=0.02)


def test_scores_have_them_by_fricatives_and_by_vowels() -> None:
    both = np.concatenate([hiss(), hum()])
    softer = np.concatenate([hiss(), 0.5 * hum()])
    found = score_audio(both, softer, SAMPLE_RATE, KEYS)
    assert tuple(found) == KEYS
    assert found["bands_fricatives"] < 0.5
    assert found["bands_vowels"] == pytest.approx(6.02, abs=0.5)
    assert set(score_audio(hum(), hum(), SAMPLE_RATE, KEYS)) == {"ripple_vowels", "bands_vowels"}
    assert score_audio(both[:3_000] * 0, both[:3_000], SAMPLE_RATE, KEYS) == {}
