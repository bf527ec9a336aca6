"""What is said, as codes that tell as little as possible of who says it, where, and how loudly.

::

    waveform ─ log-mel ─ minus its mean ─ dilated convolutions ─ classes ─ projection ─ nearest entry ─► codes
                                            ▲           │
                                            └── mean ◄──┘ of a few seconds: the voice that speaks

The network learns to tell clusters of speech, found without labels, from speech that is disguised and has stretches
missing (see `vqc.training.voice.content_task`): masked prediction as in HuBERT (Hsu et al. 2021, arXiv 2106.07447), and
the disguises of NANSY (Choi et al. 2021, arXiv 2110.14513). How likely it takes each cluster to be, or else the last
layer, is then clustered again, and the centres are the codebook. One pass, no search: a code depends on `halo` frames
to each side and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.models.phones.model import HOP, SAMPLE_RATE, subtract_mean, warp_frequencies
from vqc.nn.quantize import VectorQuantizer
from vqc.nn.spectral import STFT, mel_matrix

_WINDOW = 400
_FLOOR = 1e-6  # power added to a mel band before the logarithm
_STEM = 2  # frames of 10 ms to each side that the first layer sees
_SUMMARY = 64  # numbers that tell of the voice
_SMOOTHED = 2  # frames of 10 ms to each side that latents are averaged over
_TEMPERATURE = 1.5  # of the probabilities of classes: sharper ones hide how near the second is


@dataclass(frozen=True, kw_only=True)
class ContentConfig(Config):
    """Everything that determines a `ContentEncoder`."""

    content_mels: int = limited(40, 4, 512)
    content_mean: int = limited(300, 1, 10_000)  # frames of 10 ms to each side over which means are taken
    content_width: int = limited(256, 1, 4096)
    content_hidden: int = limited(256, 1, 4096)
    content_dilations: tuple[int, ...] = limited((1, 2, 4, 6, 4, 2, 1), 1, 1024)  # of each block, in steps of 20 ms
    content_voice: tuple[int, ...] = limited((0, 3), 0, 256)  # blocks before which the network is told of the voice
    content_reach: int = limited(100, 1, 10_000)  # steps of 20 ms to each side that tell of it
    content_size: int = limited(2048, 2, 65_536)
    content_dim: int = limited(96, 1, 1024)
    content_classes: int = limited(0, 0, 65_536, written_when_set=True)  # whose probabilities are coded; 0: of none


class ContentEncoder(nn.Module):
    """Codes int64 [B, T / 160] of waveforms [B, T] in [-1, 1] at 16 kHz.

    What is coded of a frame is the root of the probabilities of classes, whose distances are those of Hellinger; or
    without classes, the last layer of the network less its mean.
    """

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = STFT(_WINDOW, HOP)
        bands = mel_matrix(config.content_mels, _WINDOW // 2 + 1, SAMPLE_RATE, lowest_hz=20)
        self.register_buffer("mel", bands, persistent=False)
        self.network = ContentNetwork(config)
        self.head = nn.Linear(config.content_width, config.content_classes) if config.content_classes else None
        known = config.content_classes or config.content_width
        self.register_buffer("projection", torch.eye(known, config.content_dim))
        self.quantizer = VectorQuantizer(config.content_size, config.content_dim)
        self.mel: Tensor
        self.projection: Tensor

    @property
    def codebook(self) -> Tensor:
        """Entries [K, D]."""
        return self.quantizer.codebook

    @property
    def halo(self) -> int:
        """Frames of 10 ms on each side that decide a code; beyond them are only means, which move 3 codes in 1,000."""
        return self.config.content_mean + self.network.near

    @property
    def reach(self) -> int:
        """Frames of 10 ms on each side beyond which nothing can change a code."""
        told = 2 * self.config.content_reach * len(self.config.content_voice)
        return 2 * self.config.content_mean + told + self.network.near

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Natural logarithm of the power in each mel band: [B, T] → [B, T / 160, mels]."""
        spectrum = self.stft(waveform)
        return torch.log((spectrum.real.square() + spectrum.imag.square()) @ self.mel + _FLOOR)

    def latents(self, log_mel: Tensor, warp: float = 1.0) -> Tensor:
        """Vectors whose nearest entries are the codes: [B, N, mels] → [B, N, D].

        Args:
            log_mel: of `log_mel`.
            warp: of the frequencies, for the length of the vocal tract; 1 leaves them as they are.
        """
        last = self.network(self.frames(log_mel, warp))
        if self.head is None:
            return centred(last @ self.projection, self.config)
        return self.known(last) @ self.projection

    def known(self, last: Tensor) -> Tensor:
        """What is projected of the last layer [B, N, width]: [B, N, classes], or [B, N, width] where there are none."""
        if self.head is None:
            return centred(last, self.config)
        return moving_mean(torch.softmax(self.head(last) / _TEMPERATURE, -1), _SMOOTHED).sqrt()

    def frames(self, log_mel: Tensor, warp: float = 1.0) -> Tensor:
        """What the network sees of log-mel frames [B, N, mels]: warped, less their mean, of about unit variance."""
        return subtract_mean(warp_frequencies(log_mel, warp), self.config.content_mean)

    def encode(self, waveform: Tensor, warp: float = 1.0) -> Tensor:
        """Codes int64 [B, T / 160] of [B, T]."""
        return self.quantizer.nearest(self.latents(self.log_mel(waveform), warp))


class ContentNetwork(nn.Module):
    """Blocks of dilated convolutions over log-mel frames less their mean.

    It is trained with a step every 20 ms and used with one every 10: with dilations twice as wide these are two
    interleaved passes of the same network.
    """

    def __init__(self, config: ContentConfig) -> None:
        super().__init__()
        self.config = config
        width = config.content_width
        self.stem = nn.Linear((2 * _STEM + 1) * config.content_mels, width)
        self.blocks = nn.ModuleList(_Block(width, config.content_hidden, d) for d in config.content_dilations)
        self.voices = nn.ModuleDict({str(i): _Voice(width, config.content_reach) for i in config.content_voice})
        self.missing = nn.Parameter(torch.zeros(width))  # in place of what is hidden in training
        self.norm = nn.LayerNorm(width)

    @property
    def near(self) -> int:
        """Frames of 10 ms on each side that the convolutions see."""
        return _STEM + 2 * sum(self.config.content_dilations) + _SMOOTHED

    def forward(self, frames: Tensor, hidden: Tensor | None = None, *, every: int = 1) -> Tensor:
        """What is known of each step: [B, N, mels] → [B, N / every, width].

        Args:
            frames: of 10 ms, normalised.
            hidden: bool [B, N / every], the steps that the network shall guess.
            every: frames to a step, 1 or 2.
        """
        padded = F.pad(frames.transpose(1, 2), (_STEM, _STEM), mode="replicate").transpose(1, 2)
        seen = torch.cat([padded[:, i : i + frames.shape[1] : every] for i in range(2 * _STEM + 1)], -1)
        x = self.stem(seen).float()
        if hidden is not None:
            x = torch.where(hidden[..., None], self.missing, x)
        steps = 2 // every  # in 20 ms
        for number, block in enumerate(self.blocks):
            if str(number) in self.voices:
                x = self.voices[str(number)](x, steps)
            x = block(x, steps)
        out: Tensor = self.norm(x)
        return out


class _Block(nn.Module):
    """A dilated convolution of three taps and a linear layer, added to the input [B, N, C]."""

    def __init__(self, channels: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(channels)
        self.taps = nn.Linear(3 * channels, hidden)
        self.out = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.3))

    def forward(self, x: Tensor, steps: int) -> Tensor:
        apart, length = self.dilation * steps, x.shape[1]
        h = F.pad(self.norm(x), (0, 0, apart, apart))
        seen = torch.cat([h[:, i * apart : i * apart + length] for i in range(3)], -1)
        out: Tensor = x + self.scale * self.out(F.gelu(self.taps(seen)))
        return out


class _Voice(nn.Module):
    """Adds to each step of [B, N, C] what the mean of those around tells of the voice."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.listen = nn.Linear(channels, _SUMMARY)
        self.tell = nn.Linear(_SUMMARY, channels)
        nn.init.zeros_(self.tell.weight)

    def forward(self, x: Tensor, steps: int) -> Tensor:
        around = moving_mean(F.gelu(self.listen(x)), self.reach * steps)
        out: Tensor = x + self.tell(around)
        return out


def centred(known: Tensor, config: ContentConfig) -> Tensor:
    """Smooth what is known of each frame [B, N, C], and take away what is of the voice: the mean of those around."""
    return moving_mean(known, _SMOOTHED) - moving_mean(known, config.content_mean)


def moving_mean(x: Tensor, reach: int) -> Tensor:
    """Mean of the steps up to `reach` to each side of each of [B, N, C]."""
    steps = x.shape[1]
    total = F.pad(x.double().cumsum(1), (0, 0, 1, 0))  # running sums in float64: differences of two stay exact
    place = torch.arange(steps, device=x.device)
    first, last = (place - reach).clamp(min=0), (place + reach + 1).clamp(max=steps)
    return ((total[:, last] - total[:, first]) / (last - first)[:, None]).to(x)
