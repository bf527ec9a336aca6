"""Speech in disguise, as frames: another tract, tempo, room, microphone, noise or speaker behind, bands missing.

Done on log-mel frames, which costs next to nothing beside a training step: a longer vocal tract is a warp of the bands,
a room the power of frames past, which fades, a microphone a smooth curve over the bands, noise a sum of powers. Random
numbers are NumPy's, so that a step can be made again.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

TEMPO = 0.18  # natural logarithm of the fastest, and of the slowest with another sign
_WARP = 0.16  # likewise, of the frequencies
_SHIFT = 0.5  # bands
_CURVES = 4  # cosines that a microphone is made of
_MICROPHONE, _COLOUR = 0.6, 0.7  # deviations of the weights of these, natural logarithm of power; of noise
_NOISE_BELOW, _BABBLE_BELOW = (2.0, 9.0), (2.0, 5.0)  # the loudest of the speech; natural logarithm of power
_GRAIN = (0.25, 0.75)  # quantiles of the power of noise in a frame that occur: the middle half
_ECHO_SECONDS = (0.15, 0.9)  # in which an echo fades by 60 dB
_ECHO_BELOW = (0.3, 3.0)  # what all of it is below the speech itself; natural logarithm of power
_ECHO_FRAMES = 60  # of 10 ms that it is followed for
_NOISY, _BABBLING, _BANDLESS, _ECHOING = 0.6, 0.25, 0.5, 0.5  # shares of the rows
_CONTRAST = 0.2  # natural logarithm of the largest factor on what is left of a frame when its mean is taken away
_MOST_BANDS = 8  # that are missing
_SPAN = (4, 11)  # steps of 20 ms that are hidden in one go


def disguised(log_mel: Tensor, there: Tensor, scale: float, generator: np.random.Generator) -> Tensor:
    """Log-mel frames [B, N, mels], of which those `there` [B, N] are speech, in disguise and less their mean.

    Args:
        log_mel: natural logarithm of powers.
        there: False beyond the end of a recording; such frames become 0.
        scale: brings frames to about unit variance.
        generator: of all random choices.
    """
    rows, _, mels = log_mel.shape
    x = _warped(log_mel, _uniform(generator, rows, _WARP).exp(), _uniform(generator, rows, _SHIFT))
    x = torch.where(_some(generator, rows, _ECHOING), _in_a_room(x, generator), x)
    x = x + _MICROPHONE * _curves(generator, rows, mels)
    loudest = x.amax(1, keepdim=True).mean(2, keepdim=True)  # [B, 1, 1]
    level = loudest - _between(generator, rows, *_NOISE_BELOW)[:, None, None]
    grain = (-_between(generator, x.numel(), *_GRAIN).log()).log().view(x.shape)
    noise = level + _COLOUR * _curves(generator, rows, mels) + grain
    x = torch.where(_some(generator, rows, _NOISY), torch.logaddexp(x, noise), x)
    other = x[torch.from_numpy(generator.permutation(rows))] - _between(generator, rows, *_BABBLE_BELOW)[:, None, None]
    x = torch.where(_some(generator, rows, _BABBLING), torch.logaddexp(x, other), x)
    weights = there[..., None].to(x)
    x = scale * weights * (x - (x * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp_min(1))
    x = x * _uniform(generator, rows, _CONTRAST).exp()[:, None, None]
    return x * _kept_bands(generator, rows, mels)


def hidden_steps(rows: int, steps: int, share: float, generator: np.random.Generator) -> Tensor:
    """Choose at least this share of the steps of each row, in spans of 80 to 200 ms: bool [rows, steps]."""
    hidden = np.zeros((rows, steps), bool)
    for row in hidden:
        while row.mean() < share:
            first = generator.integers(1 - _SPAN[0], steps)
            row[max(0, first) : first + generator.integers(*_SPAN)] = True
    return torch.from_numpy(hidden)


def _warped(x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """Band b of row i gets what is at b · factor[i] + shift[i] of [B, N, mels], interpolated."""
    mels = x.shape[2]
    at = (torch.arange(mels) * factor[:, None] + shift[:, None]).clamp(0, mels - 1)  # [B, mels]
    below = at.long().clamp(max=mels - 2)
    part = (at - below)[:, None]
    places = below[:, None].expand(x.shape)
    return x.gather(2, places) * (1 - part) + x.gather(2, places + 1) * part


def _in_a_room(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Log-mel frames [B, N, mels] with an echo, whose power fades exponentially, as in Polack's model of a room."""
    rows = len(x)
    seconds, below = _between(generator, rows, *_ECHO_SECONDS), _between(generator, rows, *_ECHO_BELOW)
    fading = torch.exp(-math.log(1e6) * 0.01 / seconds)[:, None] ** torch.arange(_ECHO_FRAMES, 0, -1)  # [B, frames]
    fading = fading / fading.sum(1, keepdim=True) * torch.exp(-below)[:, None]
    power = F.pad(x.exp().permute(2, 0, 1), (_ECHO_FRAMES, 0))[..., :-1]  # [mels, B, frames + N - 1]
    echo = F.conv1d(power, fading[:, None], groups=rows).permute(1, 2, 0)  # [B, N, mels]
    return torch.logaddexp(x, echo.clamp_min(1e-12).log())


def _curves(generator: np.random.Generator, rows: int, mels: int) -> Tensor:
    """Smooth curves over the bands, [rows, 1, mels]."""
    orders = torch.arange(1, _CURVES + 1)[:, None]
    basis = torch.cos(torch.pi / mels * orders * (torch.arange(mels) + 0.5))
    weights = torch.from_numpy(generator.normal(size=(rows, _CURVES)).astype(np.float32))
    return (weights @ basis)[:, None]


def _kept_bands(generator: np.random.Generator, rows: int, mels: int) -> Tensor:
    """1 for bands that stay, 0 for those that are missing: [rows, 1, mels]."""
    kept: NDArray[np.float32] = np.ones((rows, 1, mels), np.float32)
    for row in range(rows):
        if generator.random() >= _BANDLESS:
            continue
        count = generator.integers(1, min(_MOST_BANDS, mels))
        first = generator.integers(0, mels - count)
        kept[row, :, first : first + count] = 0
    return torch.from_numpy(kept)


def _uniform(generator: np.random.Generator, rows: int, most: float) -> Tensor:
    return _between(generator, rows, -most, most)


def _between(generator: np.random.Generator, rows: int, least: float, most: float) -> Tensor:
    return torch.from_numpy(generator.uniform(least, most, rows).astype(np.float32))


def _some(generator: np.random.Generator, rows: int, share: float) -> Tensor:
    """True for about this share of the rows: [rows, 1, 1]."""
    return torch.from_numpy(generator.random(rows) < share)[:, None, None]
