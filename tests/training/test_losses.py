"""Each loss against its formula on signals for which that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vqc.training.losses import CODEC_SHAPES, LogMelLoss, MultiResolutionSTFTLoss, ReconstructionLoss


def noise(seed: int = 0, *, rows: int = 2) -> Tensor:
    return 0.3 * torch.randn(rows, 4_800, generator=torch.Generator().manual_seed(seed))


def test_of_a_signal_at_half_its_loudness() -> None:
    """Spectral convergence is |1 - 1/2|, the logarithms of magnitudes differ by log 2 everywhere."""
    x = noise()
    assert float(MultiResolutionSTFTLoss()(0.5 * x, x)) == pytest.approx(0.5 + math.log(2), rel=1e-2)
    assert float(LogMelLoss(CODEC_SHAPES)(0.5 * x, x)) == pytest.approx(math.log(2), rel=1e-2)


def test_spectral_convergence_is_of_each_waveform_by_itself() -> None:
    x = noise()
    gains = torch.tensor([[0.1], [1.0]])
    loud, both = MultiResolutionSTFTLoss()(0.5 * x, x), MultiResolutionSTFTLoss()(0.5 * gains * x, gains * x)
    assert float(both) == pytest.approx(float(loud), rel=3e-2)


def test_spectra_do_not_hear_the_sign_but_hear_the_pitch() -> None:
    t = torch.arange(4_800) / 16_000
    tone, other = (0.5 * torch.sin(2 * math.pi * hz * t)[None] for hz in (440, 660))
    for loss in (MultiResolutionSTFTLoss(), LogMelLoss(CODEC_SHAPES)):
        assert float(loss(-tone, tone)) < 1e-5
        assert float(loss(other, tone)) > 0.3


@pytest.mark.parametrize("loss", [MultiResolutionSTFTLoss(), LogMelLoss(CODEC_SHAPES)])
def test_gradients_are_finite_where_logarithms_and_roots_are_steep(loss: torch.nn.Module) -> None:
    silence, x = torch.zeros(1, 4_800), noise(rows=1)
    for estimate, target in ((silence, silence), (silence, x), (x, silence), (x, x)):
        leaf = estimate.clone().requires_grad_()
        loss(leaf, target).backward()
        assert leaf.grad is not None
        assert bool(leaf.grad.isfinite().all())


def test_the_total_is_the_weighted_sum_in_units_of_the_signal() -> None:
    weights = {"mse": 1.0, "l1": 0.5, "stft": 2.0, "mel": 3.0}
    x, y = noise(), noise(1)
    total, terms = ReconstructionLoss(weights, variance=0.09, sample_rate=16_000)(y, x)
    assert float(terms["mse"]) == pytest.approx(float((x - y).square().mean()))
    assert float(terms["l1"]) == pytest.approx(float((x - y).abs().mean()))
    expected = terms["mse"] / 0.09 + 0.5 * terms["l1"] / 0.3 + 2 * terms["stft"] + 3 * terms["mel"]
    assert float(total) == pytest.approx(float(expected), rel=1e-5)


def test_the_squared_error_is_reported_though_it_has_no_weight() -> None:
    compared = ReconstructionLoss({"mse": 0.0, "l1": 1.0}, variance=1.0, sample_rate=None)(noise(), noise(1))
    assert set(compared.terms) == {"mse", "l1"}
    assert float(compared.total) == pytest.approx(float(compared.terms["l1"]))


def test_half_precision_signals_are_compared_in_float32() -> None:
    compare = ReconstructionLoss({"mse": 1.0, "mel": 1.0}, variance=1.0, sample_rate=16_000)
    estimate = noise().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        half = compare(estimate, noise(1)).total
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(compare(estimate.float(), noise(1)).total), rel=1e-6)


def test_the_relative_error_of_quiet_speech_counts_like_that_of_loud_speech() -> None:
    compare = ReconstructionLoss({"relative": 1.0}, variance=1e-9, sample_rate=None)
    x = torch.stack([noise(), noise(1)]).view(2, -1)
    loud, both = x.clone(), x * torch.tensor([[1.0], [0.01]])
    assert float(compare(0.5 * both, both).terms["relative"]) == pytest.approx(0.25, rel=1e-4)
    assert float(compare(0.5 * loud, loud).total) == pytest.approx(0.25, rel=1e-4)
    assert float(compare(torch.zeros(1, 9), torch.zeros(1, 9)).total) == 0  # silence
