"""The network that says how loud each source of a voice is: pulses, noise and the decoded waveform, bin by bin.

::

    all that was decoded ─► ConvNeXt in time ─► values at bins and knots ─ interpolation ─► gains of all bins

A spectrum of noise has no lines. Were the gain of the noise free in each bin, training could gather the energy of a
band in one of its bins, which no loss of bands would see, and fricatives would ring. So it is given at knots that lie
farther apart than bands are wide, and is linear between them; so are the other gains where bands are wide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqc.nn.convnext import ConvNeXt1d

KNOTS = 24  # equally far apart in mel: 85 Hz at the low end, 600 Hz at 5 kHz
LAST_KNOT_HZ = 7_750  # one more, as recordings end a little below half the sample rate
FREE_HZ = 4_000  # below it pulses and waveform have a gain in each bin, and above at the same knots as the noise
LEAST_NOISE = 0.02  # of the power of the envelope, where the waveform leaves nothing out


class SourceGains(NamedTuple):
    """Factors [B, N, bins] for each source; complex but for the noise, which is real and positive."""

    pulses: Tensor
    noise: Tensor
    coded: Tensor  # of the lowest bins alone


class SourceGainNetwork(nn.Module):
    """Gains of a hundred frames a second from everything that was decoded.

    Args:
        mels: bands of the envelope.
        dims: values of a block, for which its codes stand.
        block: frames of a block.
        qualities: one embedding for each.
        bins: of the spectra that are multiplied.
        coded_bins: of those the lowest, which the waveform has.
    """

    def __init__(
        self,
        *,
        mels: int,
        dims: int,
        block: int,
        width: int,
        blocks: int,
        qualities: int,
        bins: int,
        coded_bins: int,
        sample_rate: int,
    ) -> None:
        super().__init__()
        self.spread = nn.Linear(dims, block * width)
        self.input = nn.Linear(3 * mels + 2, width)
        self.level = nn.Embedding(qualities, width)
        self.blocks = nn.ModuleList(ConvNeXt1d(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        noise = knot_interpolation(KNOTS, LAST_KNOT_HZ, bins, sample_rate)
        free = free_below(FREE_HZ, noise, sample_rate)
        coded = free[:, :coded_bins]
        coded = coded[coded.any(1)]
        self.register_buffer("noise_basis", noise, persistent=False)
        self.register_buffer("pulse_basis", free, persistent=False)
        self.register_buffer("coded_basis", coded, persistent=False)
        self.noise_basis: Tensor
        self.pulse_basis: Tensor
        self.coded_basis: Tensor
        self.sizes = [len(free), len(free), len(noise), len(coded), len(coded)]
        self.output = nn.Linear(width, sum(self.sizes))
        nn.init.normal_(self.output.weight, std=1e-3)
        with torch.no_grad():
            start = torch.tensor([0.7, 0.0, 0.5, 0.5, 0.0])  # all sources, none louder than the envelope
            self.output.bias.copy_(start.repeat_interleave(torch.tensor(self.sizes)))

    def forward(
        self, envelope: Tensor, log_mel: Tensor, hz: Tensor, coded_log_mel: Tensor | None, quality: int
    ) -> SourceGains:
        """Gains for N frames; the arguments are those of `values`."""
        return self.gains(self.values(envelope, log_mel, hz, coded_log_mel, quality))

    def values(
        self, envelope: Tensor, log_mel: Tensor, hz: Tensor, coded_log_mel: Tensor | None, quality: int
    ) -> Tensor:
        """What the network says of N frames, [B, N, values].

        Args:
            envelope: what the codes of blocks stand for, [B, N / block, dims].
            log_mel: the same as natural logarithms of the power of bands, [B, N, mels].
            hz: pitch, 0 where there is none, [B, N / 2].
            coded_log_mel: as `log_mel`, of the decoded waveform; None without one.
        """
        frames = log_mel.shape[1]
        # voicing and log pitch; 150 Hz, between low and high voices, becomes 0
        pitch = torch.stack([hz > 0, torch.log(hz.clamp_min(60.0) / 150.0)], -1).to(log_mel.dtype)  # [B, N / 2, 2]
        pitch = pitch.repeat_interleave(frames // hz.shape[1], 1)  # [B, N, 2]
        coded = torch.zeros_like(log_mel) if coded_log_mel is None else _scaled(coded_log_mel)
        excess = torch.zeros_like(log_mel) if coded_log_mel is None else 0.5 * (coded_log_mel - log_mel).clamp(-8, 8)
        spread = self.spread(envelope * 0.1).reshape(*log_mel.shape[:2], -1)  # [B, N, width]
        h = self.input(torch.cat([_scaled(log_mel), coded, excess, pitch], -1)) + spread
        for block in self.blocks:
            h = block(h + self.level.weight[quality - 1])
        told: Tensor = self.output(self.norm(h))
        return told

    def gains(self, told: Tensor) -> SourceGains:
        """Gains of all bins from what the network says, [B, N, values]."""
        values = torch.split(told, self.sizes, -1)  # five of [B, N, knots or bins]
        return SourceGains(
            torch.complex(values[0] @ self.pulse_basis, values[1] @ self.pulse_basis),
            nn.functional.softplus(values[2], beta=4) @ self.noise_basis,
            torch.complex(values[3] @ self.coded_basis, values[4] @ self.coded_basis),
        )


def missing_log_power(log_power: Tensor, coded_power: Tensor, floor: float) -> Tensor:
    """Return what the waveform leaves out of the envelope: log(exp(a) - floor - b), at least `LEAST_NOISE` of it.

    Args:
        log_power: natural logarithm of the power of bands, to which `floor` had been added; silence has next to none.
        coded_power: of the decoded waveform in the same bands.
    """
    power = (torch.exp(log_power) - floor).clamp_min(1e-3 * floor)
    return torch.log(torch.maximum(power - coded_power, LEAST_NOISE * power))


def knot_interpolation(knots: int, last_hz: float, bins: int, sample_rate: int) -> Tensor:
    """Matrix [knots + 1, bins] that interpolates linearly between values at knots.

    Those from 0 to half the sample rate are equally far apart in mel (HTK scale); the one before the last is another.
    """
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    at = 700 * (10 ** (torch.linspace(0, top, knots, dtype=torch.float64) / 2595) - 1)
    at = torch.cat([at[:-1], torch.tensor([last_hz], dtype=torch.float64), at[-1:]])
    hz = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    upper = torch.searchsorted(at, hz).clamp(1, knots)
    part = ((hz - at[upper - 1]) / (at[upper] - at[upper - 1])).clamp(0, 1)
    matrix = torch.zeros(knots + 1, bins, dtype=torch.float64)  # two entries a column, which add up to 1
    column = torch.arange(bins)
    matrix[upper - 1, column] = 1 - part
    matrix[upper, column] += part
    return matrix.float()


def free_below(hz: float, interpolation: Tensor, sample_rate: int) -> Tensor:
    """The rows of an interpolation [knots, bins] that reach above `hz`, and one row for each bin below."""
    bins = interpolation.shape[1]
    first = round(hz * 2 * (bins - 1) / sample_rate)
    above = interpolation.clone()
    above[:, :first] = 0
    return torch.cat([torch.eye(first, bins), above[above.any(1)]])


def _scaled(log_mel: Tensor) -> Tensor:
    return (log_mel + 5.0) * 0.3  # roughly centred, of unit size, for the log power of speech
