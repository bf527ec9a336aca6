"""The `phones` codec: one codebook for what is said, and as little as possible of who says it, where and how loudly.

::

    waveform ─ log-mel ─ warped ─ minus its mean ─ frames around ─ projection ─ affine map ─ nearest entry ─► codes
    codes ─ entries ─ network ─► log-mel + average spectrum, voicing ─► pulses of one pitch, noise ─► waveform

The mean over six seconds takes away the microphone, the room and much of the voice. The projection keeps what tells
clusters of speech apart (see `vqc.training.phones.clusters`). Both the warp of the frequencies, for the length of the
vocal tract, and the affine map are those that bring what is encoded nearest to the entries of the codebook, which are
of many speakers. There are 100 codes a second. The decoder speaks all in one monotonous voice: what the codes hold is
heard, and nothing more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.base import AudioModel
from vqc.models.config import Config, limited
from vqc.nn.convnext import ConvNeXt1d
from vqc.nn.excitation import position_noise, pulse_train
from vqc.nn.quantize import VectorQuantizer
from vqc.nn.spectral import STFT, band_amplitude, mel_interpolation, mel_matrix

SAMPLE_RATE = 16_000
HOP = 160  # samples of a code: 10 ms
MEAN_FRAMES = 300  # frames of 10 ms on each side over which the mean is taken
PITCH = 120.0  # Hz, of the decoder's voice
_PULSES_REPEAT = 5  # frames: after six periods of the voice

_WINDOW = 400
_BINS = _WINDOW // 2 + 1
_FLOOR = 1e-6  # power added to a mel band before the logarithm
SCALE = 0.4  # brings log-mel spectra to about unit variance
_KERNEL = 7
WARPS = (0.9, 0.95, 1.0, 1.05, 1.1)  # of frequencies, on the mel scale
_FITTINGS = 2  # times a speaker's map is found, each with the codes that the last one gives
_TRUST_MAP, _TRUST_SHIFT = 300.0, 50.0  # frames that weigh as much as the belief that no map is needed


@dataclass(frozen=True, kw_only=True)
class PhonesConfig(Config):
    """Everything that determines a `PhonesModel`."""

    mels: int = limited(40, 2, 512)
    context: int = limited(5, 0, 64)  # frames seen to either side of each
    context_step: int = limited(2, 1, 64)  # of 10 ms between them
    codebook_size: int = limited(512, 2, 65_536)
    codebook_dim: int = limited(32, 1, 1024)
    decoder_width: int = limited(128, 1, 4096)
    decoder_blocks: int = limited(3, 0, 64)


class DecoderOutput(NamedTuple):
    """Output of the decoder's network for N codes."""

    log_mel: Tensor  # [B, N, mels], normalised
    voicing: Tensor  # [B, N], logit of the pulses' share


class SpeakerFit(NamedTuple):
    """Latents of one speaker, adapted to the codebook."""

    latents: Tensor  # [N, D]
    warp: float  # one of `WARPS`
    distance: float  # mean squared, to the nearest entries


class PhonesModel(AudioModel):
    """Waveforms [B, T] in [-1, 1] at 16 kHz to codes [B, 1, T / 160] and back."""

    kind: ClassVar[str] = "phones"
    config: PhonesConfig
    sample_rate = SAMPLE_RATE
    hop_length = HOP

    def __init__(self, config: PhonesConfig) -> None:
        super().__init__()
        self.config = config
        dims, dim = config.mels * (2 * config.context + 1), config.codebook_dim
        self.stft = STFT(_WINDOW, HOP)
        self.register_buffer("mel", mel_matrix(config.mels, _BINS, SAMPLE_RATE, lowest_hz=20), persistent=False)
        self.register_buffer("unmel", mel_interpolation(config.mels, _BINS, SAMPLE_RATE), persistent=False)
        self.register_buffer("average", torch.full((config.mels,), -8.0))  # log-mel spectrum of the decoder's voice
        self.register_buffer("mean", torch.zeros(dims))
        self.register_buffer("projection", torch.eye(dims, dim))
        self.quantizer = VectorQuantizer(config.codebook_size, dim)
        self.decoder = _Decoder(config)
        self.mel: Tensor
        self.unmel: Tensor
        self.average: Tensor
        self.mean: Tensor
        self.projection: Tensor
        self.register_static_table()

    @property
    def halo(self) -> int:
        """Frames on each side that a frame depends on; the fit to the speaker is to all that is encoded at once."""
        return MEAN_FRAMES + self.config.context * self.config.context_step + 1

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (self.config.codebook_size,)

    # signal → codes

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Natural logarithm of the power in each mel band: [B, T] → [B, T / 160, mels]."""
        spectrum = self.stft(waveform)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(power @ self.mel + _FLOOR)

    def context(self, log_mel: Tensor, warp: float = 1.0) -> Tensor:
        """Warped frames less their mean, and those around: [B, N, mels] → [B, N, mels · (2 · context + 1)]."""
        frames = subtract_mean(warp_frequencies(log_mel, warp)).transpose(1, 2)
        step, reach = self.config.context_step, self.config.context * self.config.context_step
        padded = F.pad(frames, (reach, reach), mode="replicate")
        parts = [padded[..., i : i + frames.shape[-1]] for i in range(0, 2 * reach + 1, step)]  # each [B, mels, N]
        return torch.cat(parts, 1).transpose(1, 2)

    def latents(self, waveform: Tensor) -> Tensor:
        """Vectors whose nearest entries are the codes: [B, T] → [B, T / 160, D]."""
        return torch.stack([self.fit_speaker(frames).latents for frames in self.log_mel(waveform)])

    def fit_speaker(self, log_mel: Tensor) -> SpeakerFit:
        """Find the warp and the map that bring frames [N, mels] of one speaker nearest to the codebook."""
        fits = []
        for warp in WARPS:
            latents = adapt_to_codebook(
                (self.context(log_mel[None], warp)[0] - self.mean) @ self.projection, self.quantizer.codebook
            )
            entries = F.embedding(self.quantizer.nearest(latents), self.quantizer.codebook)
            fits.append(SpeakerFit(latents, warp, float((latents - entries).square().mean())))
        return min(fits, key=lambda fit: fit.distance)

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        return self.quantizer.nearest(self.latents(waveform))[:, None]

    # codes → signal

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        return self.synthesize(self.decoder(F.embedding(codes[:, 0], self.quantizer.codebook)), first_frame)

    def synthesize(self, output: DecoderOutput, first_frame: int = 0) -> Tensor:
        """Waveform [B, 160 · N] of the decoder's output; pulses and noise are those of the absolute position."""
        log_mel = output.log_mel / SCALE + self.average
        frames, lead = output.voicing.shape[1], first_frame % _PULSES_REPEAT
        samples, first_sample = frames * HOP, first_frame * HOP
        hz = log_mel.new_full((1, lead + frames), PITCH)
        pulses = self.stft(pulse_train(hz, HOP, SAMPLE_RATE)[:, lead * HOP :])
        noise = self.stft(position_noise(first_sample, samples, device=log_mel.device)[None])
        amplitude = band_amplitude(log_mel, self.unmel, _WINDOW)
        voiced = torch.sigmoid(output.voicing)[..., None]
        return self.stft.inverse((voiced.sqrt() * pulses + (1 - voiced).sqrt() * noise) * amplitude)


class _Decoder(nn.Module):
    """Network from entries of the codebook [B, N, D] to normalised log-mel frames and voicing."""

    def __init__(self, config: PhonesConfig) -> None:
        super().__init__()
        width = config.decoder_width
        self.input = nn.Linear(config.codebook_dim, width)
        self.blocks = nn.Sequential(*(ConvNeXt1d(width, kernel_size=_KERNEL) for _ in range(config.decoder_blocks)))
        self.output = nn.Linear(width, config.mels + 1)

    def forward(self, entries: Tensor) -> DecoderOutput:
        out = self.output(self.blocks(self.input(entries)))
        return DecoderOutput(out[..., :-1], out[..., -1])


def subtract_mean(log_mel: Tensor, reach: int = MEAN_FRAMES) -> Tensor:
    """Subtract from log-mel frames [B, N, mels] their mean over `reach` to each side; bring to unit variance.

    Frames of digital silence are no part of the mean; where there are no others it is that of silence.
    """
    sounds = (log_mel > math.log(_FLOOR) + 1e-3).any(-1, keepdim=True).to(log_mel)  # [B, N, 1]
    frames = log_mel.shape[1]
    both = torch.cat([log_mel * sounds, sounds], -1).double()  # [B, N, mels + 1]: sums and counts
    total = F.pad(both.cumsum(1), (0, 0, 1, 0))  # running sums in float64: differences of two stay exact
    place = torch.arange(frames, device=log_mel.device)
    window = total[:, (place + reach + 1).clamp(max=frames)] - total[:, (place - reach).clamp(min=0)]
    mean = window[..., :-1] / window[..., -1:].clamp_min(1e-9)
    mean = torch.where(window[..., -1:] > 0.5, mean, math.log(_FLOOR))
    return SCALE * (log_mel - mean.to(log_mel))


def warp_frequencies(log_mel: Tensor, factor: float) -> Tensor:
    """Stretch the frequencies of log-mel frames [..., mels]: band b gets the value of band b · factor, interpolated."""
    if factor == 1:
        return log_mel
    mels = log_mel.shape[-1]
    at = (torch.arange(mels, device=log_mel.device) * factor).clamp(max=mels - 1)
    below = at.long().clamp(max=mels - 2)
    part = (at - below).to(log_mel)
    return log_mel[..., below] * (1 - part) + log_mel[..., below + 1] * part


def adapt_to_codebook(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Move vectors [N, D] of one speaker to where those of many lie: to the entries of the codebook [K, D].

    The speaker is taken to have said entries e through an affine map, v = e B + b, found by least squares with the
    nearest entries, in doubt near the identity; the map is then undone. This is how speakers are normalised in speech
    recognition (constrained maximum likelihood linear regression, Gales 1998), here with codes in place of words.
    """
    D = vectors.shape[1]
    none = torch.eye(D + 1, D, dtype=torch.float64, device=vectors.device)
    spread = codebook.double().var(0, correction=0).mean()
    trust = torch.full((D + 1,), _TRUST_MAP, dtype=torch.float64, device=vectors.device) * spread
    trust[-1] = _TRUST_SHIFT
    v, out = vectors.double(), vectors
    for _ in range(_FITTINGS):
        # argmin of ‖v − e_k‖² = ‖v‖² − 2 v·e_k + ‖e_k‖²
        nearest = torch.addmm(codebook.square().sum(1), out, codebook.T, alpha=-2).argmin(1)
        e = F.pad(codebook[nearest].double(), (0, 1), value=1.0)
        found, singular = torch.linalg.solve_ex(e.T @ e + trust.diag(), e.T @ v + trust[:, None] * none)
        moved, flat = torch.linalg.solve_ex(found[:-1].T, (v - found[-1]).T)
        if singular or flat:  # entries that do not spread over all dimensions tell of no map
            break
        out = moved.T.to(vectors)
    return out
