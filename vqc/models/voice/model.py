"""The `voice` codec: what is said in codes without the speaker, the pitch, and the voice in some bytes a file.

::

    waveform ─┬ content encoder ─► 100 codes a second ────────┐
              ├ pitch track ─────► 50 pitch states a second ──┤
              └ speaker encoder ─► vector, level, mean pitch ─┴─► file

    codes ─ entries ─┐
    pitch, shifted ──┼─► network ─► log-mel ─► network: gains of pulses and noise ─► sum ─► waveform
    vector ──────────┘

One code frame is 20 ms (320 samples): a pitch state and two content codes. The vector comes from all of a recording,
or from a few seconds of any other: then another voice says the same (see `vqc.models.voice.traits`). Pulses, noise and
the network that blends them are those of `speech`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.models.base import AudioModel, CodeLine, Int64Array
from vqc.models.config import limited
from vqc.models.speech.pitch_code import from_changes, to_changes
from vqc.models.voice.content import ContentConfig, ContentEncoder
from vqc.models.voice.networks import SpeakerEncoder, VoiceDecoder
from vqc.models.voice.traits import SCALARS, Traits, VoiceObserver, shifted_pitch
from vqc.nn.excitation import position_noise, pulse_train
from vqc.nn.pitch import PITCH_HOP, PITCH_STATES, pitch_hz, track_pitch
from vqc.nn.source_gains import SourceGainNetwork
from vqc.nn.spectral import STFT, band_amplitude, mel_interpolation, mel_matrix

SAMPLE_RATE = 16_000
FRAME_HOP = 160  # samples of a frame of the envelope, and of a content code
FRAMES = PITCH_HOP // FRAME_HOP  # in a code frame
REFERENCE_LEVEL = -0.5  # of speech as the networks see it: natural logarithm of its mean power in a mel band

_WINDOW = 640
_BINS = _WINDOW // 2 + 1
_FLOOR = 1e-5  # power added to a mel band before the logarithm, as `speech` does
_BLOCK_REACH = 3  # frames to each side that a ConvNeXt block sees


@dataclass(frozen=True, kw_only=True)
class VoiceConfig(ContentConfig):
    """Everything that determines a `VoiceModel`.

    speakers: names of the voices that come with the model.
    """

    mels: int = limited(48, 2, 512)
    width: int = limited(144, 1, 4096)  # of the network from codes to frames
    blocks: int = limited(5, 0, 64)
    voice_dims: int = limited(64, 1, 1024)
    voice_width: int = limited(96, 1, 4096)
    source_width: int = limited(192, 1, 4096)  # of the network that blends pulses and noise
    source_blocks: int = limited(4, 0, 64)
    speakers: tuple[str, ...] = ()


class VoiceModel(AudioModel):
    """Waveforms [B, T] in [-1, 1] at 16 kHz to codes [B, 3, T / 320] and back, in any voice."""

    kind: ClassVar[str] = "voice"
    int8_tensors: ClassVar[tuple[str, ...]] = ("content.", "speaker.", "decoder.", "sources.")
    config: VoiceConfig
    sample_rate = SAMPLE_RATE
    hop_length = PITCH_HOP

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = STFT(_WINDOW, FRAME_HOP)
        self.register_buffer("mel", mel_matrix(config.mels, _BINS, SAMPLE_RATE), persistent=False)
        self.register_buffer("unmel", mel_interpolation(config.mels, _BINS, SAMPLE_RATE), persistent=False)
        self.content = ContentEncoder(config)
        self.speaker = SpeakerEncoder(mels=config.mels, width=config.voice_width, dims=config.voice_dims)
        self.decoder = VoiceDecoder(
            dims=config.content_dim,
            width=config.width,
            blocks=config.blocks,
            mels=config.mels,
            voice_dims=config.voice_dims,
        )
        self.sources = SourceGainNetwork(
            mels=config.mels,
            dims=config.mels,
            block=1,
            width=config.source_width,
            blocks=config.source_blocks,
            qualities=1,
            bins=_BINS,
            coded_bins=1,
            sample_rate=SAMPLE_RATE,
        )
        self.register_buffer(
            "contrast", torch.ones(config.mels)
        )  # deviation of real frames over that of predicted ones
        self.register_buffer("voices", torch.zeros(len(config.speakers), self.trait_bytes, dtype=torch.uint8))
        self.mel: Tensor
        self.unmel: Tensor
        self.contrast: Tensor
        self.voices: Tensor
        self.register_static_table()

    @property
    def trait_bytes(self) -> int:
        return self.config.voice_dims + SCALARS

    @property
    def halo(self) -> int:
        return max(self.decoder_halo, -(-self.content.halo // FRAMES))

    @property
    def decoder_halo(self) -> int:
        reach = (self.config.blocks + self.config.source_blocks) * _BLOCK_REACH + _WINDOW // FRAME_HOP
        return -(-reach // FRAMES)

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (PITCH_STATES, *[self.config.content_size] * FRAMES)

    def code_line(self, quality: int) -> CodeLine:
        return CodeLine(self.config.content_size, FRAME_HOP, self.content.encode)

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        return (("pitch", 1), ("content", FRAMES))

    # signal → codes

    def mel_power(self, waveform: Tensor) -> Tensor:
        """Power in each mel band: [B, T] → [B, T / 160, mels]."""
        spectrum = self.stft(waveform)
        power: Tensor = spectrum.real.square() + spectrum.imag.square()
        return power @ self.mel

    def log_mel(self, power: Tensor, level: Tensor) -> Tensor:
        """Logarithm of the power [B, N, mels] of speech of a level [B], as it is at the reference level."""
        return torch.log(power * torch.exp(REFERENCE_LEVEL - level)[:, None, None] + _FLOOR)

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        content = self.content.encode(waveform)  # [B, T / 160]
        pitch = track_pitch(waveform).to(content.device)  # [B, T / 320]
        return torch.cat([pitch[:, None], content.view(*pitch.shape, FRAMES).transpose(1, 2)], 1)

    def observer(self) -> VoiceObserver:
        return VoiceObserver(self)

    # codes → signal

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        return self.decode_with(b"", codes, quality, first_frame=first_frame)

    def decode_with(self, traits: bytes, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        said = Traits.from_bytes(traits or self.observer().finish())
        hz = pitch_hz(shifted_pitch(codes[:, 0], said.shift))  # [B, T]
        entries = F.embedding(codes[:, 1:].transpose(1, 2).flatten(1), self.content.codebook)  # [B, 2T, D]
        voice = said.vector.to(entries).expand(len(codes), -1)
        change, average = self.decoder(entries, hz, voice)
        waveform = self.synthesize(average + self.contrast * change, hz, first_frame * PITCH_HOP)
        return waveform * torch.exp(torch.tensor(0.5 * (said.level - REFERENCE_LEVEL)))

    def synthesize(self, log_mel: Tensor, hz: Tensor, first_sample: int = 0) -> Tensor:
        """Waveform [B, 160 · N] of frames [B, N, mels] and pitch [B, N / 2]: filtered pulses and noise, summed."""
        with torch.no_grad():
            pulses = self.stft(pulse_train(hz, PITCH_HOP, SAMPLE_RATE))  # complex [B, N, bins]
            noise = self.stft(position_noise(first_sample, log_mel.shape[1] * FRAME_HOP, device=log_mel.device)[None])
        gains = self.sources(log_mel, log_mel, hz, None, 1)
        amplitude = band_amplitude(log_mel, self.unmel, _WINDOW)
        return self.stft.inverse((gains.pulses * pulses + gains.noise * noise) * amplitude)

    # pitch is coded as its change

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        symbols = codes.copy()
        symbols[0] = to_changes(codes[0])
        return symbols

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        codes = symbols.copy()
        codes[0] = from_changes(symbols[0])
        return codes

    # the voices that come with the model

    def voice(self, name: str) -> Traits:
        """The traits of a voice that comes with the model; KeyError when there is none of this name."""
        names: Sequence[str] = self.config.speakers
        if name not in names:
            raise KeyError(name)
        return Traits.from_bytes(self.voices[names.index(name)].cpu().numpy().tobytes())
