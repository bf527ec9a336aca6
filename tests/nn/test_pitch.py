"""The pitch of a periodic sound is found; silence and noise have none."""

import numpy as np
import pytest
import torch

from vqc.nn.excitation import position_noise, pulse_train
from vqc.nn.pitch import PITCH_STATES, VOICING_THRESHOLD, pitch_hz, track_pitch, viterbi


@pytest.mark.parametrize("hz", [80.0, 140.0, 250.0])
def test_pitch_of_a_pulse_train_is_its_frequency(hz: float) -> None:
    waveform = 0.1 * pulse_train(torch.full((1, 50), hz), 320, 16_000)
    found = pitch_hz(track_pitch(waveform))[0, 5:-5]
    assert (found / hz - 1).abs().max() < 0.02


def test_noise_and_silence_are_unvoiced() -> None:
    assert not track_pitch(torch.zeros(1, 16_000)).any()
    noise = 0.1 * position_noise(0, 32_000)[None]
    assert (track_pitch(noise) > 0).float().mean() < 0.2


def test_states_are_log_spaced_from_60_to_400_hz() -> None:
    hz = pitch_hz(torch.arange(PITCH_STATES))
    assert hz[0] == 0
    torch.testing.assert_close(hz[[1, -1]], torch.tensor([60.0, 400.0], dtype=torch.float64))
    ratios = hz[2:] / hz[1:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios))


def test_a_track_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    a = 0.1 * pulse_train(torch.full((1, 20), 120.0), 320, 16_000)
    b = 0.1 * position_noise(7, 6_400)[None]
    both = track_pitch(torch.cat([a, b]))
    assert torch.equal(both[:1], track_pitch(a))
    assert torch.equal(both[1:], track_pitch(b))


def test_no_path_is_cheaper() -> None:
    """Against every way to come to every state, with the costs of all moves written out."""
    correlation = np.random.default_rng(0).random((2, 12, PITCH_STATES - 1)).astype(np.float32)
    state = np.arange(PITCH_STATES)
    distance = np.abs(state[:, None] - state)
    moves = np.where(distance <= 8, 0.025 * distance, np.inf)
    moves[0, :] = moves[:, 0] = 0.35
    moves[0, 0] = 0
    for item, path in zip(correlation, viterbi(correlation), strict=True):
        costs = np.full((len(item), PITCH_STATES), 1 - VOICING_THRESHOLD)
        costs[:, 1:] = 1 - item + 0.06 * np.arange(PITCH_STATES - 1)[::-1] / (PITCH_STATES - 1)
        least = costs[0]
        for own in costs[1:]:
            least = (least[:, None] + moves).min(0) + own
        found = costs[np.arange(len(path)), path].sum() + moves[path[:-1], path[1:]].sum()
        assert found == pytest.approx(least.min(), rel=1e-9)
        assert path.any()
