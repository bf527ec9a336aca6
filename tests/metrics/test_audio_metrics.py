"""Metrics of recordings against their definitions, and the alignment before them."""

import numpy as np
import pytest

from vqc.metrics.catalogue import METRICS, metrics_of
from vqc.metrics.mel import mel_distance
from vqc.metrics.scores import score_audio
from vqc.metrics.time_alignment import align

RATE = 16_000


def babble(seconds: float = 2.0, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Something like speech: pulses of a wandering pitch through a resonance, in syllables."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t + seed)
    phase = np.cumsum(pitch) / rate
    voiced = sum(np.cos(2 * np.pi * k * phase) / (1 + ((k * pitch - 600) / 300) ** 2) for k in range(1, 20))
    hiss = np.random.default_rng(seed).normal(0, 0.02, len(t))
    syllables = np.clip(np.sin(2 * np.pi * 3 * t), 0, None)
    return (0.1 * syllables * voiced + hiss * syllables).astype(np.float32)


def test_squared_errors() -> None:
    original = np.array([0.5, -0.5] * 1000, np.float32)
    found = score_audio(original, 0.5 * original, RATE, ("mse", "relative_mse"))
    assert found == pytest.approx({"mse": 0.25**2, "relative_mse": 0.25})


def test_silence_as_an_answer_has_the_power_of_the_signal_as_error() -> None:
    assert score_audio(babble(), np.zeros(2 * RATE, np.float32), RATE, ("relative_mse",))["relative_mse"] == 1


def test_si_sdr_is_that_of_the_noise_at_any_loudness() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(0, 0.1, (2, 8 * RATE)).astype(np.float32)
    noise -= (noise @ signal) / (signal @ signal) * signal
    for gain in (1.0, 0.2):
        found = score_audio(signal, gain * (signal + 0.1 * noise), RATE, ("si_sdr",))
        assert found["si_sdr"] == pytest.approx(20, abs=0.1)


def test_what_is_not_defined_is_left_out() -> None:
    silence = np.zeros(RATE, np.float32)
    assert set(score_audio(silence, silence, RATE, tuple(METRICS))) <= {"mse", "mel", "dnsmos"}
    assert "si_sdr" not in score_audio(babble(), babble(), RATE, ("si_sdr",))
    assert score_audio(babble()[:0], babble()[:0], RATE, tuple(METRICS)) == {}


@pytest.mark.parametrize("samples", [1, 50, 1000])
def test_short_recordings_are_measured_as_far_as_possible(samples: int) -> None:
    found = score_audio(babble()[:samples] + 0.01, babble()[:samples], RATE, metrics_of("audio"))
    assert {"mse", "relative_mse", "mel"} <= set(found)
    assert np.isfinite(list(found.values())).all()


def test_a_perfect_answer_scores_best_in_the_metrics_of_speech() -> None:
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    wanted = ("pesq_wb", "stoi", "estoi")
    rng = np.random.default_rng(0)
    noisy = babble() + rng.normal(0, 0.03, 2 * RATE).astype(np.float32)
    perfect, worse = score_audio(babble(), babble(), RATE, wanted), score_audio(babble(), noisy, RATE, wanted)
    assert perfect == pytest.approx({"pesq_wb": 4.644, "stoi": 1, "estoi": 1}, abs=1e-3)
    assert all(worse[key] < perfect[key] - 0.01 for key in wanted)


def test_other_rates_are_brought_to_that_of_the_metrics_of_speech() -> None:
    pytest.importorskip("pystoi")
    original, rate = babble(rate=44_100), 44_100
    noisy = original + np.random.default_rng(0).normal(0, 0.02, len(original)).astype(np.float32)
    assert 0.5 < score_audio(original, noisy, rate, ("stoi",))["stoi"] < 0.99


def test_mel_distance_is_in_decibels_and_blind_to_phase() -> None:
    original = babble()
    assert mel_distance(original, original, RATE) == 0
    assert mel_distance(original, -original, RATE) == 0
    loud = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert mel_distance(loud, 0.5 * loud, RATE) == pytest.approx(6.02, abs=0.01)


@pytest.mark.parametrize("lag", [0, 1, 37, 1600, -1, -800])
def test_a_delay_is_found(lag: int) -> None:
    signal = babble(3.0)
    original, restored = signal[2000:-2000], signal[2000 - lag : len(signal) - 2000 - lag]
    first, second = align(original, restored, RATE)
    assert np.array_equal(first, second)
    assert len(first) == len(original) - abs(lag)


def test_a_delay_beyond_reach_is_a_fault_of_the_codec() -> None:
    signal = babble(3.0)
    first, second = align(signal[3000:], signal[:-3000], RATE)
    assert not np.array_equal(first[:20_000], second[:20_000])


def test_a_peak_of_the_correlation_is_not_believed_against_the_spectra() -> None:
    """Noise restored as other noise in the same syllables: the waveforms agree best at a lag of no meaning."""
    t = np.arange(2 * RATE) / RATE
    envelope = 0.2 * np.exp(-(((t % 0.25) - 0.1) ** 2) / 0.0008)
    for seed in range(5):
        original, restored = (envelope * np.random.default_rng(seed).normal(0, 1, (2, len(t)))).astype(np.float32)
        first, second = align(original, restored, RATE)
        assert np.array_equal(first, original)
        assert np.array_equal(second, restored)


def test_a_delay_is_found_where_only_the_spectrum_is_kept() -> None:
    """Syllables of noise in three bands, restored 20 ms late as other noise in the same bands."""
    rng = np.random.default_rng(0)
    edges = np.fft.rfftfreq(3 * RATE, 1 / RATE)
    loudness = np.repeat(rng.uniform(0, 1, (3, 30)) ** 3, RATE // 10, axis=1)

    def spoken() -> np.ndarray:
        spectrum = np.fft.rfft(rng.normal(0, 0.1, 3 * RATE))
        bands = [(200, 800), (800, 2000), (2000, 5000)]
        parts = [np.fft.irfft(spectrum * ((edges >= low) & (edges < high))) for low, high in bands]
        return (loudness * parts).sum(0).astype(np.float32)

    late = np.concatenate([np.zeros(320, np.float32), spoken()])
    first, second = align(spoken(), late, RATE)
    assert len(first) == 3 * RATE
    assert min(range(600), key=lambda lag: abs(late[lag : lag + RATE] - second[:RATE]).max()) == pytest.approx(
        320, abs=48
    )


def test_silence_is_aligned_as_it_is() -> None:
    silence = np.zeros(RATE, np.float32)
    assert len(align(silence, silence, RATE)[0]) == RATE
