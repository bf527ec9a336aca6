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
    path = np.zeros((batch, frames), np.int64)
    if not frames:
        return path
    octave = np.arange(count)[::-1] / count
    voiced_cost = (1 - correlation) + _LONG_LAG_COST * octave
    unvoiced_cost = 1 - VOICING_THRESHOLD
    move_cost = _JUMP_COST * np.abs(np.arange(-_REACH, _REACH + 1))

    # what the cheapest path to each state costs; voiced ones with room on both sides for moves from beyond the states
    unvoiced = np.full((frames, batch), unvoiced_cost)
    padded = np.full((frames, batch, count + 2 * _REACH), np.inf)
    voiced = padded[..., _REACH : _REACH + count]
    voiced[0] = voiced_cost[:, 0]
    reach = np.lib.stride_tricks.sliding_window_view(padded, count, axis=2)  # [T, B, moves, 127]
    for t in range(1, frames):
        stay = (reach[t - 1] + move_cost[:, None]).min(1)
        onset, offset = unvoiced[t - 1, :, None] + _SWITCH_COST, voiced[t - 1].min(1) + _SWITCH_COST
        voiced[t] = np.minimum(stay, onset) + voiced_cost[:, t]
        unvoiced[t] = np.minimum(unvoiced[t - 1], offset) + unvoiced_cost

    # back to where they come from
    for item in range(batch):
        best = int(voiced[-1, item].argmin())
        state = 0 if unvoiced[-1, item] <= voiced[-1, item, best] else best + 1
        path[item, -1] = state
        for t in range(frames - 2, -1, -1):
            silent = unvoiced[t, item]
            if state:
                costs = reach[t, item, :, state - 1] + move_cost
                best = int(costs.argmin())
                state = state + best - _REACH if costs[best] <= silent + _SWITCH_COST else 0
            else:
                best = int(voiced[t, item].argmin())
                state = 0 if silent <= voiced[t, item, best] + _SWITCH_COST else best + 1
            path[item, t] = state
    return path
