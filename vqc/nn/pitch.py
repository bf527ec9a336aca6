"""Pitch of speech: normalised autocorrelation below 1 kHz and a Viterbi path over log-spaced candidates.

The autocorrelation of a Hann-windowed frame is divided by the window's own (Boersma 1993, "Accurate short-term
analysis of the fundamental frequency"), so that a periodic frame peaks near 1 at its period whatever the lag.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PITCH_HOP = 320  # samples between pitch values: 20 ms at 16 kHz
PITCH_STATES = 128  # 0 is unvoiced, 1..127 are log-spaced from LOWEST_HZ to HIGHEST_HZ
LOWEST_HZ, HIGHEST_HZ = 60.0, 400.0
SAMPLE_RATE = 16_000

_FRAME, _FFT = 800, 2048  # 50 ms
_LOW_PASS_BIN = 1000 * _FFT // SAMPLE_RATE
VOICING_THRESHOLD = 0.55  # autocorrelation at which voiced and unvoiced cost the same
_JUMP_COST = 0.025  # per state of 1.5 % between neighbouring frames
_SWITCH_COST = 0.35  # between voiced and unvoiced
_LONG_LAG_COST = 0.06  # keeps the path from halving the pitch
_REACH = 8  # states a path may move in 20 ms


def pitch_hz(states: Tensor) -> Tensor:
    """Frequency in Hz of pitch states (any shape); unvoiced (0) gives 0."""
    step = math.log(HIGHEST_HZ / LOWEST_HZ) / (PITCH_STATES - 2)
    hz = LOWEST_HZ * torch.exp((states.double() - 1) * step)
    return torch.where(states > 0, hz, torch.zeros_like(hz))


def periodicity(waveform: Tensor) -> Tensor:
    """Normalised autocorrelation [B, T / 320, 127] at each candidate period, of a waveform [B, T]."""
    padding = (_FRAME - PITCH_HOP) // 2
    frames = torch.nn.functional.pad(waveform, (padding, padding)).unfold(1, _FRAME, PITCH_HOP)
    window = torch.hann_window(_FRAME, device=waveform.device)
    frames = (frames - frames.mean(-1, keepdim=True)) * window
    spectrum = torch.fft.rfft(frames, _FFT)
    power = spectrum.real.square() + spectrum.imag.square()
    power[..., _LOW_PASS_BIN:] = 0
    correlation = torch.fft.irfft(power, _FFT)
    own = torch.fft.irfft(torch.fft.rfft(window, _FFT).abs().square(), _FFT)
    lags = SAMPLE_RATE / pitch_hz(torch.arange(1, PITCH_STATES, device=waveform.device))
    below = lags.floor().long()
    part = (lags - below).to(waveform.dtype)
    normalised = correlation / own.clamp_min(own[0] * 0.05)
    at_lag = normalised[..., below] * (1 - part) + normalised[..., below + 1] * part
    energy = normalised[..., :1] + 3e-6  # a floor in mean square (-55 dB): near silence is unvoiced
    ratio: Tensor = at_lag / energy
    return ratio


def track_pitch(waveform: Tensor) -> Tensor:
    """Pitch states [B, T / 320] int64 of 16 kHz speech [B, T], T a multiple of 320."""
    return torch.from_numpy(viterbi(periodicity(waveform.float()).cpu().numpy()))


def viterbi(correlation: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cheapest path [B, T] through candidates [B, T, 127]; state 0 is unvoiced."""
    batch, frames, count = correlation.shape
    octave = np.arange(count)[::-1] / count
    voiced_cost = (1 - correlation) + _LONG_LAG_COST * octave
    unvoiced_cost = 1 - VOICING_THRESHOLD
    moves = np.arange(-_REACH, _REACH + 1)
    move_cost = _JUMP_COST * np.abs(moves)
    cost = np.concatenate([np.full((batch, 1), unvoiced_cost), voiced_cost[:, 0]], axis=1) if frames else np.empty(0)
    back = np.zeros((frames, batch, count + 1), np.int16)
    for t in range(1, frames):
        padded = np.pad(cost[:, 1:], ((0, 0), (_REACH, _REACH)), constant_values=np.inf)
        reach = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1, axis=1) + move_cost
        best = reach.argmin(-1)
        stay = np.take_along_axis(reach, best[..., None], -1)[..., 0]
        onset = cost[:, :1] + _SWITCH_COST
        back[t, :, 1:] = np.where(stay <= onset, np.arange(count) + moves[best] + 1, 0)
        offset_from = cost[:, 1:].argmin(1) + 1
        offset = np.take_along_axis(cost, offset_from[:, None], 1)[:, 0] + _SWITCH_COST
        back[t, :, 0] = np.where(cost[:, 0] <= offset, 0, offset_from)
        unvoiced = np.minimum(cost[:, 0], offset) + unvoiced_cost
        cost = np.concatenate([unvoiced[:, None], np.minimum(stay, onset) + voiced_cost[:, t]], axis=1)
    path = np.zeros((batch, frames), np.int64)
    if frames:
        path[:, -1] = cost.argmin(1)
    for t in range(frames - 1, 0, -1):
        path[:, t - 1] = np.take_along_axis(back[t], path[:, t, None], 1)[:, 0]
    return path
