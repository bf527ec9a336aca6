"""Gains of sources: smooth where a comb could hide, whatever the weights."""

from __future__ import annotations

import pytest
import torch

from vqc.nn.source_gains import (
    FREE_HZ,
    LEAST_NOISE,
    SourceGainNetwork,
    SourceGains,
    knot_interpolation,
    missing_log_power,
)

BINS, CODED, RATE = 321, 241, 16_000
HZ_OF_A_BIN = RATE / 2 / (BINS - 1)


@pytest.fixture
def gains() -> SourceGains:
    """Of a network whose last layer is wild."""
    torch.manual_seed(0)
    network = SourceGainNetwork(
        mels=16, dims=8, block=8, width=16, blocks=1, qualities=2, bins=BINS, coded_bins=CODED, sample_rate=RATE
    )
    torch.nn.init.normal_(network.output.weight, std=10)
    hz = torch.tensor([[0.0, 120, 130, 0]])
    with torch.no_grad():
        found: SourceGains = network(torch.randn(1, 1, 8), torch.randn(1, 8, 16), hz, torch.randn(1, 8, 16), 1)
    return found


def test_every_source_has_its_bins(gains: SourceGains) -> None:
    assert gains.pulses.shape == gains.noise.shape == (1, 8, BINS)
    assert gains.coded.shape == (1, 8, CODED)
    assert not gains.noise.is_complex()
    assert (gains.noise >= 0).all()


@pytest.mark.parametrize("source", ["pulses", "noise", "coded"])
def test_no_weights_make_a_comb_of_240_hz(gains: SourceGains, source: str) -> None:
    """Above 4 kHz a gain bends at most once in 400 Hz, but for the last knot; a comb would bend twice in 240."""
    gain = getattr(gains, source)[..., round(FREE_HZ / HZ_OF_A_BIN) :]
    bend = gain.diff(dim=-1).diff(dim=-1).abs()
    bends = (bend > 1e-3 * gain.abs().amax()).any(0).any(0)  # a knot between two bins bends at both
    knots = bends.nonzero()[:, 0]
    starts = knots[torch.cat([torch.tensor([True]), knots.diff() > 1])]
    assert len(starts) > 2
    assert (starts.diff()[:-1] * HZ_OF_A_BIN >= 400).all()
    assert (starts.diff() * HZ_OF_A_BIN >= 240).all()


def test_interpolation_keeps_constants_and_lines_between_knots() -> None:
    matrix = knot_interpolation(5, 7_000, BINS, RATE)
    torch.testing.assert_close(matrix.sum(0), torch.ones(BINS))
    assert matrix[0, 0] == matrix[-1, -1] == 1
    assert ((matrix > 0).sum(0) <= 2).all()


def test_noise_carries_what_the_waveform_leaves_out() -> None:
    floor = 1e-5
    envelope = torch.log(torch.tensor([1.0, 1.0, 1.0, 0.0]) + floor)
    missing = missing_log_power(envelope, torch.tensor([0.0, 0.75, 3.0, 0.0]), floor).exp()
    expected = torch.tensor([1.0, 0.25, LEAST_NOISE, 1e-3 * floor])
    torch.testing.assert_close(missing, expected, rtol=1e-3, atol=0)
