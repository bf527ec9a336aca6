"""Export of trained speech models: codebooks set to their rates, dead entries pruned."""

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

_TOLERANCE = 0.01  # of a rate, as a share of it
_LATENTS = 20_000  # that codebooks are fitted to, at most
_STEPS = 12  # of the search for a scale, at most


@torch.no_grad()
def calibrate(model: SpeechModel, waveforms: list[Tensor], config: SpeechTaskConfig) -> list[list[Counts]]:
    """Set each quality to its rates on [1, T] waveforms: scale before the codebook, and k-means of the codebook.

    The networks stay as they are: they see the latents in their own units, whatever the scale at which these are coded.
    Returns the counts [G, K] of entries of envelope and waveform, for each quality.
    """
    model.eval()
    log_mels = [model.log_mel(w) for w in waveforms]
    everything = []
    for index in tracked(range(model.qualities)):
        latents = [model.klt_coefficients(x) + model.encoder(x, index + 1) for x in log_mels]
        rows, gain = torch.cat(latents, 1)[0], model.envelope_gain[index]
        target = config.envelope_bps[index] * CODE_HOP / SAMPLE_RATE
        counts = [_set_rate(model.envelope_vq, rows, gain, index, target)]
        if model.has_waveform_codes(index + 1):
            parts = []
            for waveform, y in zip(waveforms, latents, strict=True):
                codes = model.envelope_vq.encode(y[0] * gain, index)
                envelope = (model.envelope_vq.decode(codes, index) / gain)[None]
                parts.append(model.mdct_latents(waveform, envelope, index + 1)[0])
            scale = model.waveform_gain[index]
            target = config.waveform_bps[index] * CODE_HOP / SAMPLE_RATE / PITCHES
            counts.append(_set_rate(model.waveform_vq, torch.cat(parts) / scale, scale, index, target))
        else:
            counts.append([torch.ones(count, 1) for count, _, _ in model.waveform_vq.groups])
        everything.append(counts)
    return everything


def _set_rate(vq: GroupedECVQ, rows: Tensor, scale: Tensor, index: int, target: float) -> Counts:
    """Change `scale` [dims] in place by a factor until rows · scale take `target` bits each; returns the counts."""
    generator = torch.Generator().manual_seed(index)
    rows = rows[torch.randperm(len(rows), generator=generator)[:_LATENTS]]
    codebooks = [vq.codebook(shape, index) for shape in range(len(vq.groups))]  # views
    if not any(codebook.any() for codebook in codebooks):  # never fitted
        ecvq_fit.fit(vq, rows * scale, index, iterations=8)
    for _ in range(_STEPS):
        bits = ecvq_fit.reseed_dead(vq, rows * scale, index, rounds=7)
        if abs(bits / target - 1) < _TOLERANCE:
            break
        factor = float(np.clip((target / bits) ** 0.6, 0.7, 1.4))  # a damped step
        scale *= factor
        for codebook in codebooks:
            codebook *= factor
    return [counts for counts, _ in vq.assignment_sums(rows * scale, index)]


@torch.no_grad()
def without_idle_entries(model: SpeechModel, counts: list[list[Counts]]) -> SpeechModel:
    """Return a copy without the entries that no frame chose. Entries are sorted by their counts, in `model` too."""
    changed: dict[str, Any] = {}
    state = model.state_dict()
    del state["static_table"]
    for number, name in enumerate(("envelope", "waveform")):
        vq: GroupedECVQ = getattr(model, f"{name}_vq")
        entries = tuple(vq.sort_by_usage(of_level[number], index) for index, of_level in enumerate(counts))
        sizes = [max(of_shape) for of_shape in zip(*entries, strict=True)]
        state |= {f"{name}_vq.{key}": tensor for key, tensor in vq.truncated(sizes).items()}
        groups = tuple((n, dims, size) for (n, dims, _), size in zip(vq.groups, sizes, strict=True))
        changed |= {f"{name}_groups": groups, f"{name}_entries": entries}
    trimmed = SpeechModel(dataclasses.replace(model.config, **changed))
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


def draw_utterances(data: SpeechData, count: int, *, seed: int = 1) -> list[Tensor]:
    """Draw training utterances [1, T] like the crops of training, padded to whole code frames."""
    waveforms = [data.utterance(i) for i in draw_items(data.dataset, count, data.probabilities, seed=seed)]
    return [torch.from_numpy(np.pad(w, (0, -len(w) % CODE_HOP)))[None] for w in waveforms]
