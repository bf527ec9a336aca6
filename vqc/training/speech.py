"""Training of the `speech` model: start of its dictionaries, the task for the loop, and its validation."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.models.speech import CODE_HOP, PITCHES, SAMPLE_RATE, SpeechCodes, SpeechModel
from vqc.nn.pitch import PITCH_HOP
from vqc.training.loop import Losses
from vqc.training.speech_losses import ComplexSpectrumLoss, EnvelopeCorrelationLoss, LogMelLoss, LoudnessLoss

LIBRISPEECH_SHARE = 0.65  # of the crops, where there is other speech beside it
_LIBRISPEECH = re.compile(r"\d+-\d+-\d+")


class SpeechData:
    """Utterances end to end in one int16 array, with the pitch of every 20 ms; both memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.samples: NDArray[np.int16] = np.load(folder / "waves.npy", mmap_mode="r")
        self.pitch: NDArray[np.uint8] = np.load(folder / "pitch.npy", mmap_mode="r")
        self.utterances: list[tuple[str, int]] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        ends = np.cumsum([n for _, n in self.utterances])
        self.starts = ends - np.array([n for _, n in self.utterances])
        held_out = validation_speakers([name for name, _ in self.utterances])
        self.validation = [i for i, (name, n) in enumerate(self.utterances) if speaker(name) in held_out]
        self.training = sorted(set(range(len(self.utterances))) - set(self.validation))
        lengths = np.array([self.utterances[i][1] for i in self.training], dtype=np.float64)
        native = np.array([bool(_LIBRISPEECH.fullmatch(Path(self.utterances[i][0]).stem)) for i in self.training])
        if native.any() and not native.all():
            lengths[native] *= LIBRISPEECH_SHARE / lengths[native].sum()
            lengths[~native] *= (1 - LIBRISPEECH_SHARE) / lengths[~native].sum()
        self.chances = lengths / lengths.sum()

    def crops(self, count: int, frames: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random crops of training speech: waveforms [count, 1280 · frames] and pitch states [count, 4 · frames]."""
        chosen = generator.choice(len(self.training), count, p=self.chances)
        waveform = np.zeros((count, frames * CODE_HOP), np.float32)
        pitch = np.zeros((count, frames * PITCHES), np.int64)
        for row, pick in enumerate(chosen):
            i = self.training[pick]
            free = max(0, self.utterances[i][1] - waveform.shape[1]) // PITCH_HOP
            first = self.starts[i] // PITCH_HOP + generator.integers(free + 1)
            count_20ms = min(pitch.shape[1], self.utterances[i][1] // PITCH_HOP)
            pitch[row, :count_20ms] = self.pitch[first : first + count_20ms]
            samples = self.samples[first * PITCH_HOP : (first + count_20ms) * PITCH_HOP]
            waveform[row, : len(samples)] = samples.astype(np.float32) / 32768
        return torch.from_numpy(waveform), torch.from_numpy(pitch)

    def utterance(self, i: int) -> NDArray[np.float32]:
        """One utterance as float32 in [-1, 1]."""
        samples = self.samples[self.starts[i] : self.starts[i] + self.utterances[i][1]]
        return (samples / np.float32(32768)).astype(np.float32)


def speaker(name: str) -> str:
    """The speaker of a LibriSpeech file (SPEAKER-CHAPTER-NUMBER), else the folder that the file lies in."""
    path = Path(name)
    return path.stem.split("-")[0] if _LIBRISPEECH.fullmatch(path.stem) else f"folder {path.parent}"


def validation_speakers(names: list[str]) -> set[str]:
    """Every twentieth LibriSpeech speaker, sorted by number: split by speaker, never by utterance."""
    speakers = sorted({speaker(n) for n in names if _LIBRISPEECH.fullmatch(Path(n).stem)}, key=int)
    return set(speakers[10::20])


class RateLevels(NamedTuple):
    """Lagrangian of each quality: squared log-mel error a bit, and scale of the MDCT before its dictionary."""

    envelope_lambda: tuple[float, ...]
    waveform_scale: tuple[float, ...]


def initialise(model: SpeechModel, data: SpeechData, levels: RateLevels, *, seed: int = 0) -> None:
    """KLT of training log-mel blocks, then entropy-constrained k-means at each quality."""
    generator = np.random.default_rng(seed)
    model.eval()
    crops = [data.crops(50, 50, generator)[0] for _ in range(10)]
    blocks = torch.cat([model.log_mel(x).view(-1, model.klt.shape[0]) for x in crops])
    model.klt_mean.copy_(blocks.mean(0))
    _, vectors = torch.linalg.eigh(torch.cov(blocks.double().T))
    model.klt.copy_(vectors.flip(1)[:, : model.klt.shape[1]])
    latents = (blocks - model.klt_mean) @ model.klt
    bark = (1 + 25 * (torch.arange(model.waveform_vq.dims) + 0.5) / 600).rsqrt()
    for level in range(model.qualities):
        model.envelope_gain[level] = levels.envelope_lambda[level] ** -0.5
        model.envelope_vq.fit(latents * model.envelope_gain[level], level)
        if not model.codes_waveform(level + 1):
            continue
        model.waveform_gain[level] = levels.waveform_scale[level] * bark
        parts = []
        for waveform in crops[:3]:
            y = model.linear_latents(model.log_mel(waveform))
            gain = model.envelope_gain[level]
            envelope = (model.envelope_vq((y * gain).flatten(0, 1), level).quantized.view_as(y)) / gain
            parts.append(model.mdct_latents(waveform, envelope, level + 1).flatten(0, 1))
        model.waveform_vq.fit(torch.cat(parts), level)


class RateTargets(NamedTuple):
    """Bits a second of each quality at which training holds the envelope and the waveform codes."""

    envelope: tuple[float, ...]
    waveform: tuple[float, ...]


class SpeechTask:
    """Random crops, one quality a step, spectral and perceptual losses, and a hold on the rates.

    The straight-through gradient knows nothing of bits. The commitment loss does (‖z − e‖² falls with the spread of z),
    so its weight is raised where the envelope takes more bits than its target and lowered where it takes fewer; the
    waveform codes have no network before them and are held by the scale of the MDCT.
    """

    def __init__(
        self,
        model: SpeechModel,
        data: SpeechData,
        targets: RateTargets,
        *,
        seed: int = 0,
        crops: int = 8,
        frames: int = 16,
    ) -> None:
        self.model, self.data, self.targets, self.seed = model, data, targets, seed
        self.count, self.frames = crops, frames
        self.log_mel, self.loudness = LogMelLoss(), LoudnessLoss()
        self.correlation, self.complex = EnvelopeCorrelationLoss(), ComplexSpectrumLoss()
        self.level_weights = np.array([2, 1, 1, 2, 1, 1, 1.5, 1][: model.qualities])

    def batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        generator = np.random.default_rng((self.seed, step))
        waveform, pitch = self.data.crops(self.count, self.frames, generator)
        gain = 10 ** (generator.uniform(-6, 6, (self.count, 1)) / 20)
        peak = waveform.abs().amax(1, keepdim=True).clamp_min(1e-3)
        waveform = waveform * torch.minimum(torch.from_numpy(gain).float(), 0.99 / peak)
        quality = 1 + int(generator.choice(self.model.qualities, p=self.level_weights / self.level_weights.sum()))
        return waveform, pitch, quality

    def loss(self, batch: tuple[Tensor, Tensor, int], step: int) -> Losses:
        waveform, pitch, quality = batch
        codes = self.model.quantize(waveform, pitch, quality)
        estimate = self.model.synthesize(codes, quality, first_sample=step * 1000)
        mel = self.log_mel(estimate, waveform)
        loudness = self.loudness(estimate, waveform)
        correlation = self.correlation(estimate, waveform)
        total = mel + 0.5 * loudness + 3 * correlation
        logged: dict[str, float | Tensor] = {}
        if codes.waveform is not None:
            phase = self.complex(estimate, waveform)
            total = total + 0.5 * phase
            logged["complex"] = phase.detach()
        total = total + float(self.model.ema_commitment_weight[quality - 1]) * codes.commitment
        self._hold_rates(codes, quality)
        second = SAMPLE_RATE / CODE_HOP
        return Losses(
            total,
            {
                "quality": quality,
                "mel": mel.detach(),
                "loudness": loudness.detach(),
                "correlation": correlation.detach(),
                "commitment": codes.commitment.detach(),
                "envelope_bps": codes.envelope_bits.detach() * second,
                "waveform_bps": codes.waveform_bits.detach() * second,
                "commitment_weight": self.model.ema_commitment_weight[quality - 1].clone(),
                **logged,
            },
        )

    @torch.no_grad()
    def _hold_rates(self, codes: SpeechCodes, quality: int) -> None:
        q, second = quality - 1, SAMPLE_RATE / CODE_HOP
        excess = float(codes.envelope_bits) * second / self.targets.envelope[q] - 1
        self.model.ema_commitment_weight[q] *= math.exp(0.05 * max(-1.0, min(1.0, excess)))
        self.model.ema_commitment_weight.clamp_(1e-5, 1.0)
        if codes.waveform is not None:
            excess = float(codes.waveform_bits) * second / self.targets.waveform[q] - 1
            self.model.waveform_gain[q] *= math.exp(-0.02 * max(-1.0, min(1.0, excess)))

    def validate(self) -> Mapping[str, float]:
        """PESQ-WB and STOI at four qualities; the score weighs them equally: 0.25 of STOI counts as one of PESQ."""
        rows = score_qualities(self.model, self.data, sorted({1, 4, 7, self.model.qualities}))
        figures: dict[str, float] = {"score": 0.0}
        for quality, row in rows.items():
            figures |= {f"{quality}_{name}": value for name, value in row.items()}
            figures["score"] -= row["pesq_wb"] + 4 * row["stoi"]
        return figures


def score_qualities(
    model: SpeechModel, data: SpeechData, qualities: Iterable[int] | None = None, *, seconds: float = 5.0
) -> dict[str, dict[str, float]]:
    """Mean PESQ-WB and STOI, and bits a second without container, of one utterance of each held-out speaker."""
    from pesq import pesq
    from pystoi import stoi

    chosen = {speaker(data.utterances[i][0]): i for i in data.validation}.values()
    result = {}
    for quality in qualities or range(1, model.qualities + 1):
        scores = []
        for i in chosen:
            x = data.utterance(i)[: int(seconds * SAMPLE_RATE)]
            x = np.pad(x, (0, -len(x) % CODE_HOP))
            with torch.inference_mode():
                codes = model.encode(torch.from_numpy(x)[None], quality)
                y = model.decode(codes, quality)[0].numpy().clip(-1, 1)
            symbols = model.to_symbols(codes[0].numpy())
            chances = np.take_along_axis(model.static_frequencies(quality), symbols, 1) / 2**16
            kbps = float(-np.log2(chances).sum()) / len(x) * SAMPLE_RATE / 1000
            scores.append((kbps, pesq(SAMPLE_RATE, x, y, "wb"), float(stoi(x, y, SAMPLE_RATE))))
        mean = np.mean(scores, 0)
        result[f"quality_{quality}"] = {"kbps": float(mean[0]), "pesq_wb": float(mean[1]), "stoi": float(mean[2])}
    return result
