"""What the bundled `speech` makes of real fricatives, and of sounds that are no speech at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import vqc
from vqc.metrics.fricatives import Spectra, ripple
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.speech.model import CODE_HOP, SAMPLE_RATE, SpeechModel

EXAMPLES = Path(__file__).parents[3] / "examples"
WEIGHTS = Path(vqc.__file__).parent / "weights" / "speech.safetensors"
T = np.arange(16 * CODE_HOP) / SAMPLE_RATE
EXTREMES = {
    "full-scale square wave of 100 Hz": np.sign(np.sin(2 * np.pi * 100 * T + 0.1)),
    "full-scale square wave of 1 kHz": np.sign(np.sin(2 * np.pi * 1000 * T + 0.1)),
    "full-scale square wave at half the sample rate": np.where(np.arange(len(T)) % 2, -1.0, 1.0),
    "full-scale noise of two values": np.sign(np.random.default_rng(0).normal(size=len(T))),
    "direct current": np.ones(len(T)),
    "negative direct current": np.full(len(T), -1.0),
    "one sample at full scale": np.eye(1, len(T), len(T) // 2)[0],
}


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    loaded = load_checkpoint(WEIGHTS).model
    assert isinstance(loaded, SpeechModel)
    return loaded


def restored(model: SpeechModel, samples: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    with torch.inference_mode():
        codes = model.encode(torch.from_numpy(samples)[None], quality)
        sound: NDArray[np.float32] = model.decode(codes, quality)[0].numpy()
    return sound


@pytest.mark.parametrize("quality", [1, 5])
def test_its_network_in_bfloat16_changes_next_to_nothing(
    model: SpeechModel, quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = soundfile.read(EXAMPLES / "speech.flac", dtype="float32")[0][: 12 * CODE_HOP]
    monkeypatch.setenv("VQC_BFLOAT16", "0")
    whole = restored(model, clip, quality)
    monkeypatch.setenv("VQC_BFLOAT16", "1")
    rounded = restored(model, clip, quality)
    assert rounded.dtype == np.float32
    assert 0 < np.square(rounded - whole).sum() < 1e-4 * np.square(whole).sum()


@pytest.mark.parametrize("quality", range(1, 9))
def test_fricatives_stay_noise_up_to_8_khz_at_their_level(model: SpeechModel, quality: int) -> None:
    clip = soundfile.read(EXAMPLES / "speech.flac", dtype="float32")[0]
    clip = clip[: len(clip) // CODE_HOP * CODE_HOP]
    sound = restored(model, clip, quality)
    spectra = Spectra.of(clip, sound)
    before, after = (ripple(power, spectra.fricative) for power in (spectra.original, spectra.restored))
    assert before is not None
    assert after is not None
    assert abs(after - before) < 1.5
    top = slice(round(7_800 / 25), None)
    energies = [power[spectra.fricative][:, top].sum() for power in (spectra.original, spectra.restored)]
    assert abs(10 * np.log10(energies[1] / energies[0])) < 12
    levels = [np.sqrt(np.mean(x**2)) for x in (clip, sound)]
    assert 0.8 < levels[1] / levels[0] < 1.15


@pytest.mark.parametrize("quality", [1, 5, 8])
@pytest.mark.parametrize("name", EXTREMES)
def test_what_is_no_speech_stays_within_bounds(model: SpeechModel, name: str, quality: int) -> None:
    samples = EXTREMES[name].astype(np.float32)
    sound = restored(model, samples, quality)
    assert np.isfinite(sound).all()
    assert np.sqrt(np.mean(sound**2)) < 1.25 * np.sqrt(np.mean(samples**2))
    assert np.abs(sound).max() < 3


@pytest.mark.parametrize("quality", [1, 3, 4, 5, 8])
def test_silence_stays_silent(model: SpeechModel, quality: int) -> None:
    """Below the half of a step of 16 bits on average: written to a file, most samples are 0."""
    sound = restored(model, np.zeros(16 * CODE_HOP, np.float32), quality)
    assert np.sqrt(np.mean(sound**2)) < 0.5 / 2**15
