"""The encoder's search for the codes of speech: the envelope, then the waveform divided by the envelope chosen."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vqc.models.search import WindowSearch
from vqc.nn.pitch import PITCH_HOP


class SpeechSearch(WindowSearch):
    """Codes of a window [B, T] of a waveform, of a `SpeechModel`; the pitch stays as it was tracked."""

    def __init__(self, model: Any, waveform: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> None:
        self.model, self.waveform, self.quality = model, waveform, quality
        self.envelope = model.envelope_latents(waveform, quality)  # [B, T / 1280, dims]
        super().__init__(model.encode_latents(waveform, self.envelope, quality), inner)

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        model, index, frames = self.model, self.quality - 1, (slice(None), *self.inner)
        costs, codes = lambda_scale * bits, self.codes.transpose(1, 2)  # [G, K], [B, t, G]
        pitches = model.hop_length // PITCH_HOP  # pitch values, and MDCT frames, of a code frame
        split = pitches + model.envelope_vq.count
        latents = self.envelope[frames].flatten(0, 1)  # [B·t, dims]
        found = model.envelope_vq.encode(latents, index, bits=costs[pitches:split])
        codes[..., pitches:split] = found.view(*codes.shape[:2], -1)
        if model.has_waveform_codes(self.quality):
            window = self.window_with(codes.transpose(1, 2)).transpose(1, 2)  # [B, T / 1280, G]
            envelope = model.dequantize_envelope(window[..., pitches:split], self.quality)
            shape = model.mdct_latents(self.waveform, envelope, self.quality)  # [B, T / 320, dims]
            for frame in range(pitches):  # each has tables of its own
                own = slice(split + frame * model.waveform_vq.count, split + (frame + 1) * model.waveform_vq.count)
                latents = shape[:, frame::pitches][frames].flatten(0, 1)  # [B·t, dims]
                codes[..., own] = model.waveform_vq.encode(latents, index, bits=costs[own]).view(*codes.shape[:2], -1)
        return codes.transpose(1, 2).contiguous()
