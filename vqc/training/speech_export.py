"""From a trained speech model to one that can be shipped: dictionaries set to their rates, order-0 tables counted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vqc.models.speech import CODE_HOP, PITCHES, SAMPLE_RATE, SpeechModel
from vqc.nn.grouped_ecvq import GroupedECVQ
from vqc.training.speech import SpeechData, SpeechTaskConfig

_TOLERANCE = 0.01


@torch.no_grad()
def calibrate(model: SpeechModel, waveforms: list[Tensor], config: SpeechTaskConfig) -> None:
    """Set each quality to its rates on [1, T] waveforms: scale before the dictionary, and k-means of the dictionary.

    The networks stay as they are: they see the latents in their own units, whatever the scale at which these are coded.
    """
    model.eval()
    log_mels = [model.log_mel(w) for w in waveforms]
    for level in range(model.qualities):
        latents = [model.linear_latents(x) + model.encoder(x, level + 1) for x in log_mels]
        rows, gain = torch.cat(latents, 1)[0], model.envelope_gain[level]
        _set_rate(model.envelope_vq, rows, gain, level, config.envelope_bps[level] * CODE_HOP / SAMPLE_RATE)
        if not model.codes_waveform(level + 1):
            continue
        parts = []
        for waveform, y in zip(waveforms, latents, strict=True):
            codes = model.envelope_vq.encode(y[0] * gain, level)
            envelope = (model.envelope_vq.decode(codes, level) / gain)[None]
            parts.append(model.mdct_latents(waveform, envelope, level + 1)[0])
        scale = model.waveform_gain[level]
        target = config.waveform_bps[level] * CODE_HOP / SAMPLE_RATE / PITCHES
        _set_rate(model.waveform_vq, torch.cat(parts) / scale, scale, level, target)


def _set_rate(vq: GroupedECVQ, rows: Tensor, scale: Tensor, level: int, target: float) -> None:
    """Change `scale` [dims] in place by a factor until rows · scale take `target` bits each."""
    for _ in range(12):
        bits = vq.fit(rows * scale, level, iterations=2, from_current=True)
        if abs(bits / target - 1) < _TOLERANCE:
            return
        factor = float(np.clip((target / bits) ** 0.6, 0.7, 1.4))
        scale *= factor
        for i in range(len(vq.groups)):
            getattr(vq, f"codebook_{i}")[level] *= factor


def spoken(data: SpeechData, count: int, *, seed: int = 1) -> list[Tensor]:
    """Training utterances [1, T], drawn like the crops of training, padded to whole code frames."""
    training = data.pack.training
    chosen = np.random.default_rng(seed).choice(training, min(count, len(training)), replace=False, p=data.chances)
    waveforms = [data.utterance(int(i)) for i in chosen]
    return [torch.from_numpy(np.pad(w, (0, -len(w) % CODE_HOP)))[None] for w in waveforms]
