"""Drawn speech before its judges, with a tiny model and tones for speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from vqc.data.benchmarks import open_benchmark
from vqc.errors import OptionError
from vqc.evaluation.drawn import speech
from vqc.evaluation.drawn.speech import spectra, study_speech
from vqc.models.kinds import build_prior
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    t = np.arange(24_000) / 16_000
    for i in range(8):
        tone = 0.2 * np.sin(2 * np.pi * (200 + 40 * i) * t) * np.sin(2 * np.pi * 3 * t)
        soundfile.write(tmp_path / f"{i}.wav", tone, 16_000)
    soundfile.write(tmp_path / "0-short.wav", np.zeros(3_000), 16_000)
    return tmp_path


@pytest.fixture
def model() -> AudioVQVAE:
    torch.manual_seed(0)
    made = AudioVQVAE(AudioVQVAEConfig(widths=(8, 8), strides=(8, 8), codebook_size=16, codebook_dim=4)).eval()
    small = {"width": 8, "skip_width": 8, "dilations": [1, 2], "head_width": 8, "code_dim": 4}
    prior = build_prior("wavenet", small, made)
    prior.initialise(made)
    made.attach_prior(prior)
    return made


def test_sets_of_a_study(folder: Path, model: AudioVQVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "PhoneLoop", lambda: lambda clip: float(len(clip)))
    monkeypatch.setattr(speech, "dnsmos", lambda clip: 2.5)
    data = open_benchmark(str(folder), "audio")
    study = study_speech(model, data, count=3, seconds=1.001, progress=lambda share: None)
    assert [row.name for row in study.rows] == ["real", "real, restored", "drawn", "order-0", "white noise"]
    assert (study.clips, study.seconds) == (3, 1.0)  # whole codes
    assert {row.phones for row in study.rows} == {16_000}
    rows = {row.name: row for row in study.rows}
    assert 0 < rows["real"].frechet < rows["white noise"].frechet
    with pytest.raises(OptionError, match=r"has 8 recordings of 1 s, 10 are needed; give more, or fewer -n"):
        study_speech(model, data, count=5, seconds=1, progress=print)
    model.prior = None
    with pytest.raises(OptionError, match="no prior to draw from"):
        study_speech(model, data, progress=print)


def test_spectra_are_pairs_of_frames_80_ms_apart() -> None:
    t = np.arange(16_000) / 16_000
    changing = np.where(t < 0.5, np.sin(2 * np.pi * 300 * t), np.sin(2 * np.pi * 3_000 * t)).astype(np.float32)
    found = spectra(changing[None])
    assert found.shape[1] == 2 * speech.BANDS
    assert np.array_equal(found[speech.APART :, : speech.BANDS], found[: -speech.APART, speech.BANDS :])
    turn = np.abs(found[:, : speech.BANDS] - found[:, speech.BANDS :]).mean(1)
    assert turn[5] < 1 < turn.max()
