"""The two sources of a voice before it is coloured: a pulse train of a given pitch, and white noise.

Both are functions of the codes and of the absolute position alone: a decoder anywhere makes the same ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

_HALF_TAPS = 8  # of the windowed sinc that places a pulse between samples


def pulse_train(frequency: Tensor, hop: int, sample_rate: int) -> Tensor:
    """Band-limited pulses of unit power: [B, F] Hz at the frame centres, 0 where unvoiced → [B, F · hop].

    The frequency is interpolated between voiced neighbours; the phase starts anew at each onset of voice.
    """
    hz = _at_samples(frequency.double(), hop)  # [B, T]; double: phases of long files stay exact to a sample
    voiced = hz > 0
    phase = torch.cumsum(hz / sample_rate, dim=1)  # in cycles
    onset = torch.where(voiced, torch.zeros_like(phase), phase).cummax(1).values
    cycles = (phase - onset).floor()
    new = torch.zeros_like(voiced)  # where a cycle begins, there is a pulse
    new[:, 1:] = voiced[:, 1:] & (cycles[:, 1:] > cycles[:, :-1])
    row, sample = new.nonzero(as_tuple=True)
    rate = hz[row, sample] / sample_rate
    late = (phase - onset - cycles)[row, sample] / rate  # samples since the pulse
    tap = torch.arange(-_HALF_TAPS, _HALF_TAPS, device=hz.device, dtype=torch.float64)
    offset = tap + late[:, None]
    window = torch.cos(torch.pi / 2 * (offset / (_HALF_TAPS + 1)).clamp(-1, 1)).square()
    kernel = torch.sinc(offset) * window * rate[:, None].rsqrt()  # [pulses, taps]; rsqrt: unit power at any pitch
    width = hz.shape[1] + 2 * _HALF_TAPS
    out = torch.zeros(hz.shape[0] * width, dtype=torch.float64, device=hz.device)
    position = row[:, None] * width + sample[:, None] + _HALF_TAPS + tap.long()
    out.index_add_(0, position.flatten(), kernel.flatten())
    return out.view(hz.shape[0], width)[:, _HALF_TAPS:-_HALF_TAPS].float()


def _at_samples(frequency: Tensor, hop: int) -> Tensor:
    before = torch.cat([frequency[:, :1], frequency], 1)  # values at the centres left and right of each gap
    after = torch.cat([frequency, frequency[:, -1:]], 1)
    part = (torch.arange(hop, dtype=torch.float64, device=frequency.device) + 0.5) / hop
    between = before[..., None] * (1 - part) + after[..., None] * part
    nearest = torch.where(part < 0.5, before[..., None], after[..., None])
    both = (before > 0) & (after > 0)
    samples = torch.where(both[..., None], between, nearest).flatten(1)
    half = hop // 2
    return samples[:, half : samples.shape[1] - (hop - half)]


def position_noise(first_sample: int, count: int, *, device: torch.device | None = None) -> Tensor:
    """White noise [count] of unit variance (uniform), a hash of the absolute sample position.

    Integer arithmetic throughout (the finaliser of MurmurHash3, Appleby), hence the same on every machine.
    """
    x = (torch.arange(first_sample, first_sample + count, device=device) + 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return ((x >> 8).float() / (1 << 23) - 1) * 3**0.5
