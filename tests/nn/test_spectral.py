"""Transforms give back what they were given, and sit where they say in time and frequency."""

import math

import pytest
import torch

from vqc.nn.spectral import MDCT, STFT, mel_interpolation, mel_matrix


def test_stft_inverse_gives_the_waveform_back() -> None:
    waveform = torch.randn(2, 3200, generator=torch.Generator().manual_seed(0))
    stft = STFT(640, 160)
    assert stft(waveform).shape == (2, 20, 321)
    torch.testing.assert_close(stft.inverse(stft(waveform)), waveform, atol=1e-5, rtol=0)


def test_stft_of_a_sine_peaks_in_its_bin() -> None:
    waveform = torch.sin(2 * math.pi * 1000 * torch.arange(3200) / 16_000)[None]
    spectrum = STFT(640, 160)(waveform).abs()[0, 10]
    assert int(spectrum.argmax()) == 1000 // 25


def test_mdct_is_orthonormal() -> None:
    waveform = torch.randn(2, 3200, generator=torch.Generator().manual_seed(1))
    mdct = MDCT(320)
    coefficients = mdct(waveform)
    assert coefficients.shape == (2, 11, 320)
    torch.testing.assert_close(mdct.inverse(coefficients), waveform, atol=1e-5, rtol=0)
    torch.testing.assert_close(coefficients.square().sum(), waveform.square().sum(), rtol=1e-5, atol=0)


def test_mdct_inverse_of_the_lowest_bins_is_a_low_pass() -> None:
    time = torch.arange(6400) / 16_000
    low, high = torch.sin(2 * math.pi * 500 * time)[None], torch.sin(2 * math.pi * 6000 * time)[None]
    mdct = MDCT(320)
    kept = mdct.inverse(mdct(low + high)[..., :160])
    middle = slice(640, -640)
    torch.testing.assert_close(kept[:, middle], low[:, middle], atol=0.02, rtol=0)


@pytest.mark.parametrize("bands", [20, 48, 80])
def test_mel_filters_average_and_cover(bands: int) -> None:
    matrix = mel_matrix(bands, 321, 16_000)
    torch.testing.assert_close(matrix.sum(0), torch.ones(bands))
    assert (matrix[1:-1].sum(1) > 0).all(), "every frequency but the ends is heard"


def test_mel_interpolation_weights_sum_to_one() -> None:
    matrix = mel_interpolation(48, 321, 16_000)
    torch.testing.assert_close(matrix.sum(0), torch.ones(321))
    assert float(matrix.min()) >= 0
