"""From a trained speech model to one that can be shipped: dictionaries set to their rates, order-0 tables counted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqc.models.speech.model import CODE_HOP, PITCHES, SAMPLE_RATE, SpeechModel
from vqc.nn.ecvq import GroupedECVQ
from vqc.training.idle_entries import Hits, busy_first, cut_entries, largest
from vqc.training.speech.task import SpeechData, SpeechTaskConfig
from vqc.training.stages import tracked

_TOLERANCE = 0.01
_LATENTS = 20_000  # of which dictionaries are made


@torch.no_grad()
def calibrate(model: SpeechModel, waveforms: list[Tensor], config: SpeechTaskConfig) -> list[list[Hits]]:
    """Set each quality to its rates on [1, T] waveforms: scale before the dictionary, and k-means of the dictionary.

    The networks stay as they are: they see the latents in their own units, whatever the scale at which these are coded.
    Returns how often entries of envelope and waveform were taken, for each quality.
    """
    model.eval()
    log_mels = [model.log_mel(w) for w in waveforms]
    everything = []
    for level in tracked(range(model.qualities)):
        latents = [model.linear_latents(x) + model.encoder(x, level + 1) for x in log_mels]
        rows, gain = torch.cat(latents, 1)[0], model.envelope_gain[level]
        target = config.envelope_bps[level] * CODE_HOP / SAMPLE_RATE
        hits = [_set_rate(model.envelope_vq, rows, gain, level, target)]
        if model.codes_waveform(level + 1):
            parts = []
            for waveform, y in zip(waveforms, latents, strict=True):
                codes = model.envelope_vq.encode(y[0] * gain, level)
                envelope = (model.envelope_vq.decode(codes, level) / gain)[None]
                parts.append(model.mdct_latents(waveform, envelope, level + 1)[0])
            scale = model.waveform_gain[level]
            target = config.waveform_bps[level] * CODE_HOP / SAMPLE_RATE / PITCHES
            hits.append(_set_rate(model.waveform_vq, torch.cat(parts) / scale, scale, level, target))
        else:
            hits.append([torch.ones(count, 1) for count, _, _ in model.waveform_vq.groups])
        everything.append(hits)
    return everything


def _set_rate(vq: GroupedECVQ, rows: Tensor, scale: Tensor, level: int, target: float) -> Hits:
    """Change `scale` [dims] in place by a factor until rows · scale take `target` bits each; returns the hits."""
    generator = torch.Generator().manual_seed(level)
    rows = rows[torch.randperm(len(rows), generator=generator)[:_LATENTS]]
    if not any(getattr(vq, f"codebook_{i}")[level].any() for i in range(len(vq.groups))):  # never placed
        vq.fit(rows * scale, level, iterations=8)
    for _ in range(12):
        bits = vq.occupy(rows * scale, level, rounds=7)
        if abs(bits / target - 1) < _TOLERANCE:
            break
        factor = float(np.clip((target / bits) ** 0.6, 0.7, 1.4))
        scale *= factor
        for i in range(len(vq.groups)):
            getattr(vq, f"codebook_{i}")[level] *= factor
    return [hits for hits, _ in vq.statistics(rows * scale, level)]


@torch.no_grad()
def without_idle_entries(model: SpeechModel, hits: list[list[Hits]]) -> SpeechModel:
    """A copy without the entries that no frame took. Entries are sorted by how often they were, in `model` too."""
    changed: dict[str, Any] = {}
    state = model.state_dict()
    del state["static_table"]
    for number, name in enumerate(("envelope", "waveform")):
        vq: GroupedECVQ = getattr(model, f"{name}_vq")
        entries = tuple(busy_first(vq, level, of_level[number]) for level, of_level in enumerate(hits))
        sizes = largest(entries)
        cut_entries(state, f"{name}_vq.", vq, sizes)
        groups = tuple((n, dims, size) for (n, dims, _), size in zip(vq.groups, sizes, strict=True))
        changed |= {f"{name}_groups": groups, f"{name}_entries": entries}
    trimmed = SpeechModel(dataclasses.replace(model.config, **changed))
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


def spoken(data: SpeechData, count: int, *, seed: int = 1) -> list[Tensor]:
    """Training utterances [1, T], drawn like the crops of training, padded to whole code frames."""
    training = data.pack.training
    chosen = np.random.default_rng(seed).choice(training, min(count, len(training)), replace=False, p=data.chances)
    waveforms = [data.utterance(int(i)) for i in chosen]
    return [torch.from_numpy(np.pad(w, (0, -len(w) % CODE_HOP)))[None] for w in waveforms]
