"""Losses of speech: each sees what it is there for, and others do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.training.losses import LogMelLoss
from vqc.training.speech.losses import BandEnergyLoss, FineSpectrumLoss, SpeechLoss

RATE = 16_000


def noise(gain_at: Tensor | float = 1.0, seed: int = 0) -> Tensor:
    white = 0.1 * torch.randn(2, 2 * RATE, generator=torch.Generator().manual_seed(seed))
    return torch.fft.irfft(torch.fft.rfft(white) * gain_at)


def comb() -> Tensor:
    """Teeth every 240 Hz above 4 kHz, where bands of 240 Hz keep their energy."""
    hz = torch.from_numpy(np.fft.rfftfreq(2 * RATE, 1 / RATE)).float()
    teeth = torch.exp(2.5 * torch.cos(2 * math.pi * hz / 240))
    teeth /= teeth.square().mean().sqrt()
    return torch.where(hz > 4_000, teeth, torch.ones(()))


def test_a_comb_costs_more_in_fine_spectra_than_in_mel_bands() -> None:
    other, combed = noise(seed=1), noise(comb(), seed=1)
    costs = {loss: [float(loss(x, noise())) for x in (other, combed)] for loss in (FineSpectrumLoss(), LogMelLoss())}
    fine, mel = (combed - same for same, combed in costs.values())
    assert fine > 2 * mel
    assert fine > 0.2


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_band_energies_are_those_of_the_sound_whatever_its_noise(gain: float) -> None:
    """ln 4 for twice the amplitude, a quarter for parts and two classes each; other noise costs little."""
    loss = BandEnergyLoss()
    assert float(loss(noise(), noise())) == 0
    assert float(loss(gain * noise(), noise())) == pytest.approx(3 * 0.25 * math.log(4), rel=0.01)
    assert float(loss(noise(seed=1), noise())) < 0.2


def test_phases_count_where_the_waveform_is_carried() -> None:
    loss, x = SpeechLoss(), noise()
    assert float(loss(-x, x, carries_waveform=False).total) < 1e-3
    with_phases = loss(-x, x, carries_waveform=True)
    assert float(with_phases.logged["complex"]) == pytest.approx(4, rel=0.01)
    assert float(with_phases.total) == pytest.approx(4 * loss.weights["complex"], rel=0.01)


def test_silence_has_a_gradient() -> None:
    estimate = torch.zeros(1, RATE, requires_grad=True)
    SpeechLoss()(estimate, torch.zeros(1, RATE), carries_waveform=True).total.backward()
    assert estimate.grad is not None
    assert estimate.grad.isfinite().all()
