"""Spectrograms have a sound at its frequency and level, and clips of any length."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.drawing.sounds import decibels, waveform


def test_a_tone_stands_at_its_frequency_and_at_its_level() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    levels = decibels(tone, 8000, 64)
    middle = levels[:, levels.shape[1] // 2]
    assert middle.argmax() / (len(middle) - 1) * 4000 == pytest.approx(1000, abs=20)
    assert middle.max() == pytest.approx(0, abs=0.5)


def test_clips_of_any_length_are_drawn() -> None:
    for length in (0, 1, 7, 1000):
        clip = np.zeros(length, np.float32)
        assert "polygon" in waveform(clip, 1.0)
        assert np.isfinite(decibels(clip, 16_000, 64)).all()
