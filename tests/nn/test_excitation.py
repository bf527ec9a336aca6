"""Pulses have the asked frequency and unit power; noise is a function of the position alone."""

import torch

from vqc.nn.excitation import position_noise, pulse_train


def test_pulses_have_unit_power_and_the_spectrum_of_their_pitch() -> None:
    pulses = pulse_train(torch.full((1, 50), 200.0), 320, 16_000)[0]
    assert abs(float(pulses[1600:].square().mean()) - 1) < 0.1
    spectrum = torch.fft.rfft(pulses[-8000:] * torch.hann_window(8000)).abs()  # 2 Hz a bin
    harmonics, between = spectrum[100:2500:100], spectrum[150:2550:100]
    assert float(harmonics.min()) > 50 * float(between.max())


def test_unvoiced_stretches_are_silent_and_onsets_start_anew() -> None:
    voiced, unvoiced = torch.full((1, 10), 100.0), torch.zeros(1, 10)
    once = pulse_train(torch.cat([unvoiced, voiced], 1), 320, 16_000)
    assert not once[:, :3000].any()
    twice = pulse_train(torch.cat([voiced, unvoiced, voiced], 1), 320, 16_000)
    torch.testing.assert_close(twice[:, -3360:], once[:, -3360:])


def test_noise_is_white_and_the_same_from_any_start() -> None:
    noise = position_noise(0, 100_000)
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.square().mean()) - 1) < 0.02
    assert abs(float((noise[1:] * noise[:-1]).mean())) < 0.02
    assert torch.equal(noise[70_000:], position_noise(70_000, 30_000))


def test_noise_follows_the_hash_in_plain_integers() -> None:
    def expected(position: int) -> float:
        x = (position + 0x9E3779B9) % 2**32
        x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
        x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
        x ^= x >> 16
        return ((x >> 8) / 2**23 - 1) * 3**0.5

    first = 2**33 - 2
    found = position_noise(first, 50)
    torch.testing.assert_close(found, torch.tensor([expected(first + i) for i in range(50)]))
