"""The `speech` codec: a coded spectral envelope and pitch, a coded waveform at the upper qualities, and a network.

::

    waveform ─┬ log-mel ─ KLT + network ─ grouped ECVQ ─► envelope codes
              ├ pitch track ─────────────────────────────► pitch codes
              └ MDCT / envelope ─ grouped ECVQ ──────────► waveform codes (from `first_waveform_quality` on)

    codes ─► envelope, pulse train, noise, decoded MDCT ─► network: gains of each source ─► sum ─► waveform

One code frame is 80 ms (1,280 samples): four pitch values, eight envelope frames, four MDCT frames. The decoder does
not invent phases: the pulses and the noise have them, and where the MDCT was coded the waveform has its own. The noise
begins with the power that the coded waveform leaves out of the envelope (`vqc/nn/source_gains.py`).
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vqc.devices import quick_networks
from vqc.models.base import AudioModel, Int64Array
from vqc.models.config import Config, Shapes, check_codebooks, limited
from vqc.models.search import EncoderSearch
from vqc.models.speech.pitch_code import from_changes, to_changes
from vqc.models.speech.search import SpeechSearch
from vqc.nn.convnext import ConvNeXt1d
from vqc.nn.ecvq import GroupedECVQ
from vqc.nn.excitation import position_noise, pulse_train
from vqc.nn.pitch import PITCH_HOP, PITCH_STATES, pitch_hz, track_pitch
from vqc.nn.source_gains import SourceGainNetwork, missing_log_power
from vqc.nn.spectral import MDCT, STFT, band_amplitude, mel_interpolation, mel_matrix

ENVELOPE_HOP = 160  # samples: 10 ms
ENVELOPE_FRAMES = 8  # in a code frame
CODE_HOP = ENVELOPE_HOP * ENVELOPE_FRAMES
PITCHES = CODE_HOP // PITCH_HOP  # in a code frame; as many MDCT frames
SAMPLE_RATE = 16_000

_WINDOW = 640
_BINS = _WINDOW // 2 + 1
_WINDOW_ENERGY = _WINDOW * 3 / 8  # of the Hann window: the power of unit white noise in a bin
_FLOOR = 1e-5  # power added to a mel band before the logarithm: white noise at -74 dB of full scale


@dataclass(frozen=True, kw_only=True)
class SpeechConfig(Config):
    """Everything that determines a `SpeechModel`; group shapes are (how many, dimensions of each, codebook size)."""

    mels: int = limited(48, 2, 512)
    width: int = limited(192, 1, 4096)
    encoder_blocks: int = limited(3, 0, 64)
    decoder_blocks: int = limited(6, 0, 64)
    envelope_groups: Shapes = limited(((8, 1, 128), (16, 2, 128), (16, 4, 128)), 1, 65_536)
    waveform_groups: Shapes = limited(((48, 1, 128), (96, 2, 192)), 1, 65_536)  # lowest bins of an MDCT frame
    # Entries that each quality uses of the codebooks of each shape, [qualities][shapes]; () for all.
    envelope_entries: tuple[tuple[int, ...], ...] = limited((), 1, 65_536, written_when_set=True)
    waveform_entries: tuple[tuple[int, ...], ...] = limited((), 1, 65_536, written_when_set=True)
    waveform_shaping: float = limited(0.7, 0, 2)  # noise of the coded waveform follows the envelope to this power
    qualities: int = limited(8, 1, 255)
    first_waveform_quality: int = limited(4, 1, 256)
    default_quality: int = limited(5, 1, 255)

    def __post_init__(self) -> None:
        super().__post_init__()
        dims, qualities = ENVELOPE_FRAMES * self.mels, self.qualities
        check_codebooks(self.envelope_groups, self.envelope_entries, dims=dims, qualities=qualities)
        check_codebooks(self.waveform_groups, self.waveform_entries, dims=_BINS - 1, qualities=qualities)
        if self.default_quality > qualities:
            raise ValueError(f"default_quality is {self.default_quality} of {qualities}")


class SpeechCodes(NamedTuple):
    """Input of the decoder, with straight-through gradients; T code frames."""

    pitch: Tensor  # int64 [B, 4T], states of `vqc.nn.pitch`
    envelope: Tensor  # [B, T, dims], quantized KLT coefficients
    waveform: Tensor | None  # [B, 4T, dims], quantized and normalised MDCT coefficients
    commitment: Tensor  # scalar, squared error in units of bits per code frame
    envelope_bits: Tensor  # scalar, ideal bits per code frame
    waveform_bits: Tensor  # scalar, likewise


class SpeechModel(AudioModel):
    """Envelope, pitch and waveform codes of 16 kHz speech, and the source-filter network that plays them."""

    kind: ClassVar[str] = "speech"
    weighs_bits: ClassVar[bool] = True
    int8_tensors: ClassVar[tuple[str, ...]] = ("encoder.",)
    perceptual_child: ClassVar[str] = "decoder"
    config: SpeechConfig
    sample_rate = SAMPLE_RATE
    hop_length = CODE_HOP
    halo = 6

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = STFT(_WINDOW, ENVELOPE_HOP)
        self.mdct = MDCT(PITCH_HOP)
        self.register_buffer("mel", mel_matrix(config.mels, _BINS, SAMPLE_RATE), persistent=False)
        self.register_buffer("unmel", mel_interpolation(config.mels, _BINS, SAMPLE_RATE), persistent=False)
        self.envelope_vq = GroupedECVQ(config.envelope_groups, config.qualities, active_sizes=config.envelope_entries)
        self.waveform_vq = GroupedECVQ(config.waveform_groups, config.qualities, active_sizes=config.waveform_entries)
        block, dims = ENVELOPE_FRAMES * config.mels, self.envelope_vq.dims
        self.register_buffer("klt_mean", torch.zeros(block))
        self.register_buffer("klt", torch.eye(block, dims))
        self.register_buffer("waveform_gain", torch.ones(config.qualities, self.waveform_vq.dims))
        self.register_buffer("envelope_gain", torch.ones(config.qualities, dims))
        self.register_buffer("ema_commitment_weight", torch.full((config.qualities,), 0.01))
        self.encoder = _EnvelopeEncoder(config, dims)
        self.decoder = SourceGainNetwork(
            mels=config.mels,
            dims=dims,
            block=ENVELOPE_FRAMES,
            width=config.width,
            blocks=config.decoder_blocks,
            qualities=config.qualities,
            bins=_BINS,
            coded_bins=self.waveform_vq.dims + 1,
            sample_rate=SAMPLE_RATE,
        )
        self.mel: Tensor
        self.unmel: Tensor
        self.klt_mean: Tensor
        self.klt: Tensor
        self.envelope_gain: Tensor
        self.ema_commitment_weight: Tensor  # of training alone: what holds each quality at its rate
        self.waveform_gain: Tensor
        self.register_static_table()

    @property
    def qualities(self) -> int:
        return self.config.qualities

    def has_waveform_codes(self, quality: int) -> bool:
        """Whether files of this quality carry MDCT codes."""
        return quality >= self.config.first_waveform_quality

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        waveform = self.waveform_vq.sizes[quality - 1] * PITCHES if self.has_waveform_codes(quality) else ()
        return (PITCH_STATES,) * PITCHES + self.envelope_vq.sizes[quality - 1] + waveform

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        groups = [("pitch", PITCHES), ("envelope", self.envelope_vq.count)]
        if self.has_waveform_codes(quality):
            groups.append(("waveform", PITCHES * self.waveform_vq.count))
        return tuple(groups)

    # signal → codes

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Natural logarithm of the power in each mel band: [B, T] → [B, T / 160, mels]."""
        spectrum = self.stft(waveform)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(power @ self.mel + _FLOOR)

    def klt_coefficients(self, log_mel: Tensor) -> Tensor:
        """KLT coefficients [B, T, dims] of a log-mel spectrogram [B, 8T, mels]."""
        return (log_mel.reshape(len(log_mel), -1, self.klt.shape[0]) - self.klt_mean) @ self.klt

    def quantize(self, waveform: Tensor, pitch: Tensor, quality: int) -> SpeechCodes:
        """Quantize waveforms [B, T] with pitch states int64 [B, 4T]; codebooks follow in training mode."""
        log_mel = self.log_mel(waveform)
        latents = self.klt_coefficients(log_mel) + self.encoder(log_mel, quality)
        gain = self.envelope_gain[quality - 1]
        spectrum = self.envelope_vq((latents * gain).flatten(0, 1), quality - 1)
        envelope = spectrum.quantized.view_as(latents) / gain
        if not self.has_waveform_codes(quality):
            return SpeechCodes(pitch, envelope, None, spectrum.commitment, spectrum.bits, latents.new_zeros(()))
        with torch.no_grad():
            z = self.mdct_latents(waveform, envelope, quality)
            shape = self.waveform_vq(z.flatten(0, 1), quality - 1)
        quantized = shape.quantized.view_as(z)
        return SpeechCodes(pitch, envelope, quantized, spectrum.commitment, spectrum.bits, PITCHES * shape.bits)

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        return self.encoder_search(waveform, quality).codes

    def envelope_latents(self, waveform: Tensor, quality: int) -> Tensor:
        """Waveforms [B, T] to the vectors that the envelope's codebooks quantize, [B, T / 1280, dims]."""
        log_mel = self.log_mel(waveform)
        latents = self.klt_coefficients(log_mel) + self.encoder(log_mel, quality)
        scaled: Tensor = latents * self.envelope_gain[quality - 1]
        return scaled

    def encode_latents(self, waveform: Tensor, latents: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, T / 1280] of waveforms [B, T] and their envelope latents [B, T / 1280, dims]."""
        pitch = track_pitch(waveform).to(waveform.device)
        batch, frames, _ = latents.shape
        codes = self.envelope_vq.encode(latents.flatten(0, 1), quality - 1).view(batch, frames, -1)
        maps = [pitch.view(batch, frames, PITCHES), codes]  # each [B, T / 1280, groups]
        if self.has_waveform_codes(quality):
            z = self.mdct_latents(waveform, self.dequantize_envelope(codes, quality), quality)
            shape = self.waveform_vq.encode(z.flatten(0, 1), quality - 1)
            maps.append(shape.view(batch, frames, -1))
        return torch.cat(maps, 2).transpose(1, 2)

    def dequantize_envelope(self, codes: Tensor, quality: int) -> Tensor:
        """Envelope codes [B, T, G] to KLT coefficients [B, T, dims]."""
        spectrum = self.envelope_vq.decode(codes.flatten(0, 1), quality - 1).view(*codes.shape[:2], -1)
        envelope: Tensor = spectrum / self.envelope_gain[quality - 1]
        return envelope

    def encoder_search(self, signal: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> EncoderSearch:
        return SpeechSearch(self, signal, quality, inner)

    def mdct_latents(self, waveform: Tensor, envelope: Tensor, quality: int) -> Tensor:
        """MDCT coefficients [B, 4T, dims] divided by the power `waveform_shaping` of the decoded envelope."""
        coefficients: Tensor = self.mdct(waveform)[:, :-1, : self.waveform_vq.dims]
        return coefficients * self._mdct_weight(envelope, quality)

    # codes → signal

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        batch, _, frames = codes.shape
        maps = codes.transpose(1, 2)  # [B, T, G]
        split = PITCHES + self.envelope_vq.count
        pitch = maps[..., :PITCHES].reshape(batch, -1)
        envelope = self.dequantize_envelope(maps[..., PITCHES:split], quality)
        waveform = None
        if self.has_waveform_codes(quality):
            shape = maps[..., split:].reshape(batch * frames * PITCHES, -1)  # a row for each MDCT frame
            waveform = self.waveform_vq.decode(shape, quality - 1).view(batch, frames * PITCHES, -1)
        zero = envelope.new_zeros(())
        return self.synthesize(
            SpeechCodes(pitch, envelope, waveform, zero, zero, zero), quality, first_frame * CODE_HOP
        )

    def synthesize(self, codes: SpeechCodes, quality: int, first_sample: int = 0) -> Tensor:
        """Waveform [B, 1280 · T] of codes: filtered pulses, noise and decoded MDCT, summed."""
        log_mel = self._log_mel(codes.envelope)  # [B, 8T, mels]
        hz = pitch_hz(codes.pitch)  # [B, 4T]
        samples = log_mel.shape[1] * ENVELOPE_HOP
        with torch.no_grad():
            pulses = self.stft(pulse_train(hz, PITCH_HOP, SAMPLE_RATE))  # complex [B, 8T, bins]
            noise = self.stft(position_noise(first_sample, samples, device=log_mel.device)[None])
        coded = self._decoded_mdct(codes, quality)
        coded_power = log_mel.new_zeros(())
        if coded is not None:
            coded_power = (coded.real.square() + coded.imag.square()) @ self.mel[: coded.shape[-1]]
        coded_log_mel = None if coded is None else torch.log(coded_power + _FLOOR)
        with nullcontext() if torch.is_grad_enabled() else quick_networks(log_mel.device):
            told = self.decoder.values(codes.envelope, log_mel, hz, coded_log_mel, quality)
        gains = self.decoder.gains(told.to(log_mel.dtype))
        missing = missing_log_power(log_mel, coded_power, _FLOOR)
        total = gains.pulses * pulses * self._amplitude(log_mel) + gains.noise * noise * self._amplitude(missing)
        if coded is not None:
            total = total + nn.functional.pad(gains.coded * coded, (0, _BINS - coded.shape[-1]))
        return self.stft.inverse(total)

    def _amplitude(self, log_mel: Tensor) -> Tensor:
        """Amplitude of sources of unit power in each bin: log-mel [B, N, mels] → [B, N, bins]."""
        return band_amplitude(log_mel, self.unmel, _WINDOW)

    def _log_mel(self, envelope: Tensor) -> Tensor:
        """KLT coefficients [B, T, dims] to log-mel frames [B, 8T, mels]."""
        block = envelope @ self.klt.T + self.klt_mean
        return block.reshape(len(block), -1, self.config.mels)

    def _mdct_weight(self, envelope: Tensor, quality: int) -> Tensor:
        """Factor [B, 4T, dims] of MDCT coefficients before their quantizer."""
        log_mel = self._log_mel(envelope)
        dims = self.waveform_vq.dims
        padded = torch.cat([log_mel[:, :1], log_mel[:, :1], log_mel, log_mel[:, -1:]], 1)
        around = padded.unfold(1, 4, 2).mean(-1)[:, : log_mel.shape[1] // 2]  # MDCT frame k is centred between 2k-1, 2k
        at_bins = around @ (0.5 * (self.unmel[:, :dims] + self.unmel[:, 1 : dims + 1]))
        log_amplitude = 0.5 * (at_bins - math.log(_WINDOW_ENERGY))
        return torch.exp(-self.config.waveform_shaping * log_amplitude) * self.waveform_gain[quality - 1]

    def _decoded_mdct(self, codes: SpeechCodes, quality: int) -> Tensor | None:
        """Spectrum of the coded waveform, complex [B, 8T, coded bins]; None at qualities without."""
        if codes.waveform is None:
            return None
        with torch.no_grad():
            coefficients = codes.waveform / self._mdct_weight(codes.envelope, quality)
            closed = nn.functional.pad(coefficients, (0, 0, 0, 1))
            waveform = self.mdct.inverse(closed)
            waveform[:, -PITCH_HOP:] = 0  # its second half lies in a frame that is not there
            spectrum: Tensor = self.stft(waveform)
            return spectrum[..., : self.waveform_vq.dims + 1]

    # pitch is coded as its change: one table serves all four values of a frame

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        symbols = codes.copy()
        symbols[:PITCHES] = to_changes(codes[:PITCHES].T.reshape(-1)).reshape(-1, PITCHES).T
        return symbols

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        codes = symbols.copy()
        codes[:PITCHES] = from_changes(symbols[:PITCHES].T.reshape(-1)).reshape(-1, PITCHES).T
        return codes


class _EnvelopeEncoder(nn.Module):
    """Network whose output is added to the KLT coefficients; zero before training."""

    def __init__(self, config: SpeechConfig, dims: int) -> None:
        super().__init__()
        self.stack = 2  # envelope frames a network frame
        self.input = nn.Linear(self.stack * config.mels, config.width)
        self.level = nn.Embedding(config.qualities, config.width)
        self.blocks = nn.Sequential(*(ConvNeXt1d(config.width) for _ in range(config.encoder_blocks)))
        self.output = nn.Linear(ENVELOPE_FRAMES // self.stack * config.width, dims)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, log_mel: Tensor, quality: int) -> Tensor:
        h = (
            self.input(_scaled(log_mel).reshape(len(log_mel), -1, self.stack * log_mel.shape[2]))
            + self.level.weight[quality - 1]
        )
        result: Tensor = self.output(self.blocks(h).reshape(len(h), -1, self.output.in_features))
        return result


def _scaled(log_mel: Tensor) -> Tensor:
    return (log_mel + 5.0) * 0.3
