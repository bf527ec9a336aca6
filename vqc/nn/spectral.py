"""Framed spectra of waveforms: short-time Fourier transform and inverse, MDCT and inverse, mel and band matrices.

All framings are exact in time: T samples make T / hop frames, each centred on its hop, zeros beyond the ends.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class STFT(nn.Module):
    """Short-time Fourier transform with a Hann window, and its inverse by overlap-add.

    `forward`: [B, T] → complex [B, T / hop, window / 2 + 1]; `inverse` goes back, exactly where nothing was changed.
    """

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        self.window_length, self.hop = window, hop
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.window: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        margin = (self.window_length - self.hop) // 2  # centres a window on its hop
        padded = nn.functional.pad(waveform, (margin, self.window_length - self.hop - margin))
        frames = padded.unfold(1, self.window_length, self.hop) * self.window  # [B, T / hop, window]
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Waveform [B, N · hop] of a spectrum [B, N, bins]: windowed overlap-add over the summed squared window."""
        frames = torch.fft.irfft(spectrum, self.window_length) * self.window
        count = spectrum.shape[1]
        total = overlap_add(frames, self.hop)
        weight = overlap_add(self.window.square().expand(1, count, -1), self.hop)  # [1, same length]
        margin = (self.window_length - self.hop) // 2
        return (total / weight.clamp_min(1e-3))[:, margin : margin + count * self.hop]


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum of frames [B, N, W], each `hop` samples after the one before: [B, (N - 1) · hop + W]."""
    batch, count, width = frames.shape
    length = (count - 1) * hop + width
    folded = nn.functional.fold(  # [B, 1, 1, length]: an image of one row
        frames.transpose(1, 2), (1, length), (1, width), stride=(1, hop)
    )
    return folded.reshape(batch, length)


class MDCT(nn.Module):
    """Modified discrete cosine transform with a sine window: orthonormal, `bins` coefficients every `bins` samples.

    `forward`: [B, T] → [B, T / bins + 1, bins] (the extra frame closes the overlap at the end);
    `inverse` goes back to [B, T]. Princen and Bradley 1986.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins
        n = torch.arange(2 * bins, dtype=torch.float64)
        k = torch.arange(bins, dtype=torch.float64)
        window = torch.sin(math.pi / (2 * bins) * (n + 0.5))
        cosine = torch.cos(math.pi / bins * (n[:, None] + 0.5 + bins / 2) * (k + 0.5))  # [2 · bins, bins]
        basis = math.sqrt(2 / bins) * window[:, None] * cosine
        self.register_buffer("basis", basis.float(), persistent=False)
        self.basis: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        padded = nn.functional.pad(waveform, (self.bins, self.bins))
        return padded.unfold(1, 2 * self.bins, self.bins) @ self.basis  # [B, T / bins + 1, bins]

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Waveform [B, T] of coefficients [B, T / bins + 1, bins], or of the first `n` bins of each frame."""
        frames = coefficients @ self.basis[:, : coefficients.shape[-1]].T
        return overlap_add(frames, self.bins)[:, self.bins : -self.bins]


def mel_matrix(bands: int, bins: int, sample_rate: int, *, lowest_hz: float = 0.0) -> Tensor:
    """Triangular mel filters [bins, bands] (HTK scale) over `bins` bins from 0 to half the sample rate; unit sums."""

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    edges = torch.linspace(mel(lowest_hz), mel(sample_rate / 2), bands + 2, dtype=torch.float64)
    hz = 700 * (10 ** (edges / 2595) - 1)
    bin_width = sample_rate / 2 / (bins - 1)
    frequency = torch.arange(bins, dtype=torch.float64)[:, None] * bin_width
    left = torch.minimum(hz[1:-1] - bin_width, hz[:-2])  # low bands reach at least one bin to either side
    right = torch.maximum(hz[1:-1] + bin_width, hz[2:])
    rising = (frequency - left) / (hz[1:-1] - left)
    falling = (right - frequency) / (right - hz[1:-1])
    weight = torch.minimum(rising, falling).clamp_min(0)  # [bins, bands]
    return (weight / weight.sum(0)).float()


def mel_interpolation(bands: int, bins: int, sample_rate: int) -> Tensor:
    """Matrix [bands, bins] that interpolates values at the centres of mel bands linearly at each frequency bin."""
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)  # mel of half the sample rate
    centre = torch.arange(1, bands + 1, dtype=torch.float64) * top / (bands + 1)
    hz = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    at = (2595 * torch.log10(1 + hz / 700)).clamp(float(centre[0]), float(centre[-1]))
    distance = (at - centre[:, None]).abs() / (top / (bands + 1))
    return (1 - distance).clamp_min(0).float()


def band_amplitude(log_mel: Tensor, interpolation: Tensor, window: int) -> Tensor:
    """Amplitude in each bin of sources of unit power: log-mel [..., N, mels] → [..., N, bins].

    Args:
        log_mel: natural logarithm of the power in mel bands, of spectra with a Hann window.
        interpolation: of bands at bins, [mels, bins]: see `mel_interpolation`.
        window: its length; unit white noise has three eighths of it as power in a bin.
    """
    return torch.exp(0.5 * (log_mel @ interpolation)) / math.sqrt(window * 3 / 8)
