"""From a trained speech model to one that can be shipped: dictionaries set to their rates, order-0 tables counted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqc.models.speech.model import CODE_HOP, PITCHES, SAMPLE_RATE, SpeechModel
from vqc.nn import ecvq_fit
from vqc.nn.ecvq import Counts, GroupedECVQ
from vqc.training.sampling import draw_items
from vqc.training.speech.task import SpeechData, SpeechTaskConfig
from vqc.training.stages import tracked

_TOLERANCE = 0.01
_LATENTS = 20_000  # of which dictionaries are made


@torch.no_grad()
def calibrate(model: SpeechModel, waveforms: list[Tensor], config: SpeechTaskConfig) -> list[list[Counts]]:
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
        counts = [_set_rate(model.envelope_vq, rows, gain, level, target)]
        if model.codes_waveform(level + 1):
            parts = []
            for waveform, y in zip(waveforms, latents, strict=True):
                codes = model.envelope_vq.encode(y[0] * gain, level)
                envelope = (model.envelope_vq.decode(codes, level) / gain)[None]
                parts.append(model.mdct_latents(waveform, envelope, level + 1)[0])
            scale = model.waveform_gain[level]
            target = config.waveform_bps[level] * CODE_HOP / SAMPLE_RATE / PITCHES
            counts.append(_set_rate(model.waveform_vq, torch.cat(parts) / scale, scale, level, target))
        else:
            counts.append([torch.ones(count, 1) for count, _, _ in model.waveform_vq.groups])
        everything.append(counts)
    return everything


def _set_rate(vq: GroupedECVQ, rows: Tensor, scale: Tensor, level: int, target: float) -> Counts:
    """Change `scale` [dims] in place by a factor until rows · scale take `target` bits each; returns the counts."""
    generator = torch.Generator().manual_seed(level)
    rows = rows[torch.randperm(len(rows), generator=generator)[:_LATENTS]]
    codebooks = [vq.codebook(shape, level) for shape in range(len(vq.groups))]  # views
    if not any(codebook.any() for codebook in codebooks):  # never placed
        ecvq_fit.fit(vq, rows * scale, level, iterations=8)
    for _ in range(12):
        bits = ecvq_fit.reseed_dead(vq, rows * scale, level, rounds=7)
        if abs(bits / target - 1) < _TOLERANCE:
            break
        factor = float(np.clip((target / bits) ** 0.6, 0.7, 1.4))
        scale *= factor
        for codebook in codebooks:
            codebook *= factor
    return [counts for counts, _ in vq.assignment_sums(rows * scale, level)]


@torch.no_grad()
def without_idle_entries(model: SpeechModel, counts: list[list[Counts]]) -> SpeechModel:
    """A copy without the entries that no frame took. Entries are sorted by how often they were, in `model` too."""
    changed: dict[str, Any] = {}
    state = model.state_dict()
    del state["static_table"]
    for number, name in enumerate(("envelope", "waveform")):
        vq: GroupedECVQ = getattr(model, f"{name}_vq")
        entries = tuple(vq.sort_by_usage(of_level[number], level) for level, of_level in enumerate(counts))
        sizes = [max(of_shape) for of_shape in zip(*entries, strict=True)]
        state |= {f"{name}_vq.{key}": tensor for key, tensor in vq.truncated(sizes).items()}
        groups = tuple((n, dims, size) for (n, dims, _), size in zip(vq.groups, sizes, strict=True))
        changed |= {f"{name}_groups": groups, f"{name}_entries": entries}
    trimmed = SpeechModel(dataclasses.replace(model.config, **changed))
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


def draw_utterances(data: SpeechData, count: int, *, seed: int = 1) -> list[Tensor]:
    """Training utterances [1, T], drawn like the crops of training, padded to whole code frames."""
    waveforms = [data.utterance(i) for i in draw_items(data.dataset, count, data.probabilities, seed=seed)]
    return [torch.from_numpy(np.pad(w, (0, -len(w) % CODE_HOP)))[None] for w in waveforms]
