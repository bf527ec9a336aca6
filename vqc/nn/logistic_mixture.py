"""Discretized mixtures of logistics: the probability of 8-bit pixels or 16-bit samples given parameters of each.

As in PixelCNN++ (Salimans, Karpathy, Chen and Kingma 2017, arXiv 1701.05517, section 2): a level takes the mass of the
logistic between the halves to both neighbours, the lowest and the highest level what lies beyond them as well. All
channels of a pixel share the component; the mean of a channel is moved by those before it, times learned factors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_SCALE = -7.0  # log of the scale, in half ranges: no narrower than a seventh of an 8-bit level


def parameters_per_value(channels: int, mixtures: int) -> int:
    """Return the number of parameters of a pixel: weight, means, scales and factors of each component."""
    return mixtures * (1 + 2 * channels + channels * (channels - 1) // 2)


def log_probability(levels: Tensor, centre: Tensor, parameters: Tensor, *, largest: int) -> Tensor:
    """log p of pixels [B, C, ...], whole numbers 0..largest, summed over the channels: [B, ...], in nats.

    Args:
        centre: [B, C, ...], in levels: what the means of all components are relative to.
        parameters: [B, P, ...], P from `parameters_per_value`.
    """
    channels = levels.shape[1]
    half = largest / 2
    x, centre = levels / half - 1, centre / half - 1  # [-1, 1]
    mixtures = parameters.shape[1] // parameters_per_value(channels, 1)
    p = parameters.reshape(len(parameters), -1, mixtures, *parameters.shape[2:])  # [B, 1 + 2C + C(C-1)/2, M, ...]
    weights, means = p[:, 0], p[:, 1 : 1 + channels] / 16
    scales = p[:, 1 + channels : 1 + 2 * channels].sub(4).clamp_min(LEAST_SCALE)
    factors = p[:, 1 + 2 * channels :]
    total, used = torch.log_softmax(weights, 1), 0
    for c in range(channels):
        mean = means[:, c] + centre[:, c, None]
        for earlier in range(c):
            mean = mean + factors[:, used] * (x[:, earlier] - centre[:, earlier])[:, None]
            used += 1
        total = total + _log_mass(x[:, c, None], mean, scales[:, c], 1 / largest)
    return torch.logsumexp(total, 1)


def _log_mass(x: Tensor, mean: Tensor, log_scale: Tensor, half_level: float) -> Tensor:
    """log of the logistic's mass between x - half_level and x + half_level, open at both ends of [-1, 1]."""
    sharpness = torch.exp(-log_scale)
    centred = x - mean
    upper, lower = sharpness * (centred + half_level), sharpness * (centred - half_level)
    # log(σ(u) − σ(l)) = log σ(u) + log σ(−l) + log(1 − e^(l−u)), which does not cancel however far out x is
    inner = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(lower - upper))
    inner = torch.where(x < -1 + half_level, F.logsigmoid(upper), inner)
    return torch.where(x > 1 - half_level, F.logsigmoid(-lower), inner)
