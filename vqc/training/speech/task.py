"""The task of `speech` models, their starting values (KLT and k-means), and their validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc._distribution import needs_extra
from vqc.data.batches import WHOLE, Prefetched, Shard
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset
from vqc.data.derived import make_once
from vqc.errors import TrainingError
from vqc.models.config import Config, limited
from vqc.models.speech.model import CODE_HOP, PITCHES, SAMPLE_RATE, SpeechCodes, SpeechModel
from vqc.nn import ecvq_fit
from vqc.nn.distributed import mean_over_ranks
from vqc.nn.pitch import PITCH_HOP, track_pitch
from vqc.nn.precision import in_float32
from vqc.training.loop.task import Losses, Task
from vqc.training.sampling import draw_probabilities
from vqc.training.speech.losses import WEIGHTS, SpeechLoss
from vqc.training.stages import tracked


@dataclass(frozen=True, kw_only=True)
class SpeechTaskConfig(Config):
    """Settings of crops and losses, and the rates at which each quality is started and held.

    source_shares: share of the crops from each folder of data, in the order in which they are given; empty: by length.
    envelope_lambda: squared log-mel error that a bit is worth when the first codebooks are fitted.
    waveform_scale: scale of the MDCT before its first codebook.
    envelope_bps, waveform_bps: bits a second at which training holds the codes; 0 where there is no waveform code.
    """

    batch_size: int = limited(8, 1)
    frames: int = limited(16, 1)  # of 80 ms in a crop
    source_shares: tuple[float, ...] = limited((), 0)
    quality_weights: tuple[float, ...] = limited((2, 1, 1, 2, 1, 1, 1.5, 1), 0)  # how often each quality is trained
    envelope_lambda: tuple[float, ...] = limited((10.5, 6.5, 3.6, 4.0, 3.0, 2.5, 2.0, 1.5), above=0)
    waveform_scale: tuple[float, ...] = limited((1, 1, 1, 3.2, 4.2, 5.6, 7.0, 12.0), above=0)
    envelope_bps: tuple[float, ...] = limited((455, 580, 850, 820, 750, 780, 850, 900), 0)
    waveform_bps: tuple[float, ...] = limited((0, 0, 0, 520, 1250, 2050, 2750, 5100), 0)
    mel: float = limited(WEIGHTS["mel"], 0)  # weights of the losses: see `vqc.training.speech.losses`
    loudness: float = limited(WEIGHTS["loudness"], 0)
    correlation: float = limited(WEIGHTS["correlation"], 0)
    fine: float = limited(WEIGHTS["fine"], 0)
    bands: float = limited(WEIGHTS["bands"], 0)
    complex: float = limited(WEIGHTS["complex"], 0)
    commitment_rate: float = limited(0.05, 0)  # log-change of the commitment weight in a step of twice the target rate
    gain_rate: float = limited(0.02, 0)  # likewise of the scale of the MDCT
    validation_utterances: int = limited(13, 1)
    table_utterances: int = limited(320, 1)  # training utterances from which the tables are counted

    @property
    def loss_weights(self) -> dict[str, float]:
        """Weights of the losses by name."""
        return {name: getattr(self, name) for name in WEIGHTS}


class SpeechData:
    """Utterances of a dataset with the pitch of every 20 ms."""

    def __init__(self, dataset: AudioDataset, source_shares: Sequence[float] = ()) -> None:
        self.dataset = dataset
        self.pitch, self.pitch_starts = pitch_of(dataset)
        self.probabilities = draw_probabilities(dataset, source_shares)

    def crops(
        self, count: int, frames: int, generator: np.random.Generator, rows: slice = slice(None)
    ) -> tuple[Tensor, Tensor]:
        """Random crops of training speech: waveforms [count, 1280 · frames] and pitch states [count, 4 · frames].

        Only `rows` of the batch are read and returned.
        """
        chosen = generator.choice(len(self.dataset.training), count, p=self.probabilities)
        places = generator.random(count)
        cuts = [
            self._cut(self.dataset.training[pick], place, frames * PITCHES)
            for pick, place in zip(chosen[rows].tolist(), places[rows].tolist(), strict=True)
        ]
        waveforms, pitch = zip(*cuts, strict=True)
        return torch.from_numpy(np.stack(waveforms)), torch.from_numpy(np.stack(pitch))

    def utterance(self, i: int) -> NDArray[np.float32]:
        """One utterance as float32 in [-1, 1]."""
        return self.dataset.waveform(i)

    def _cut(self, i: int, place: float, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """`count` pitch periods of 20 ms of an utterance from a place in [0, 1), padded with silence."""
        periods = int(self.dataset.lengths[i]) // PITCH_HOP
        first = int(place * (max(0, periods - count) + 1))
        taken = min(count, periods)
        waveform, pitch = np.zeros(count * PITCH_HOP, np.float32), np.zeros(count, np.int64)
        waveform[: taken * PITCH_HOP] = self.dataset.cut(i, first * PITCH_HOP, taken * PITCH_HOP)
        start = int(self.pitch_starts[i]) + first
        pitch[:taken] = self.pitch[start : start + taken]
        return waveform, pitch


def pitch_of(dataset: AudioDataset) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pitch states of all utterances end to end, and where each begins; tracked once and kept beside the dataset."""
    ends = np.cumsum(dataset.lengths // PITCH_HOP)

    def read(folder: Path) -> NDArray[np.uint8]:
        states: NDArray[np.uint8] = np.load(folder / "states.npy", mmap_mode="r")
        return states

    states = make_once(dataset.folder / "pitch", read, lambda new: _track_all(dataset, new), what="pitch")
    return states, ends - dataset.lengths // PITCH_HOP


def _track_all(dataset: AudioDataset, folder: Path) -> None:
    states = [np.zeros(0, np.uint8)]
    for i, length in enumerate(dataset.lengths.tolist()):
        whole = torch.from_numpy(dataset.cut(i, 0, length // PITCH_HOP * PITCH_HOP))[None]
        if whole.shape[1]:
            states.append(track_pitch(whole)[0].numpy().astype(np.uint8))
    np.save(folder / "states.npy", np.concatenate(states))


def initialise(model: SpeechModel, data: SpeechData, config: SpeechTaskConfig, *, seed: int = 0) -> None:
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
    for index in tracked(range(model.qualities)):
        model.envelope_gain[index] = config.envelope_lambda[index] ** -0.5
        ecvq_fit.fit(model.envelope_vq, latents * model.envelope_gain[index], index)
        if not model.has_waveform_codes(index + 1):
            continue
        model.waveform_gain[index] = config.waveform_scale[index] * bark
        parts = []
        for waveform in crops[:3]:
            y = model.klt_coefficients(model.log_mel(waveform))
            gain = model.envelope_gain[index]
            envelope = (model.envelope_vq((y * gain).flatten(0, 1), index).quantized.view_as(y)) / gain
            parts.append(model.mdct_latents(waveform, envelope, index + 1).flatten(0, 1))
        ecvq_fit.fit(model.waveform_vq, torch.cat(parts), index)


class SpeechTask(Task):
    """Random crops, one quality a step, spectral and perceptual losses, and a hold on the rates.

    The straight-through gradient does not see bits. The commitment loss does (‖z − e‖² falls with the spread of z),
    so its weight is raised where the envelope takes more bits than its target and lowered where it takes fewer; the
    waveform codes have no network before them and are held by the scale of the MDCT.

    Everything is computed in float32, whatever the precision of the run: there is no complex bfloat16, and logarithms
    of quiet bands want more digits than it has.
    """

    model: SpeechModel

    def __init__(
        self,
        model: SpeechModel,
        data: SpeechData,
        config: SpeechTaskConfig,
        *,
        seed: int = 0,
        shard: Shard = WHOLE,
    ) -> None:
        self.model, self.data, self.config, self.seed, self.shard = model, data, config, seed, shard
        self.compare = SpeechLoss(config.loss_weights)
        speech_metrics()  # missing packages are reported now rather than at the first validation
        weights = np.array(config.quality_weights[: model.qualities])
        self.quality_probabilities = weights / weights.sum()
        self.batches = Prefetched(self._batch)

    def batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        batch: tuple[Tensor, Tensor, int] = self.batches(step)
        return batch

    def _batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        """Waveforms [B, T], pitch states [B, 4 · frames], and the quality of the step."""
        generator = np.random.default_rng((self.seed, step))
        count, rows = self.config.batch_size, self.shard.rows(self.config.batch_size)
        quality = 1 + int(generator.choice(self.model.qualities, p=self.quality_probabilities))
        gain = 10 ** (generator.uniform(-6, 6, (count, 1)) / 20)
        waveform, pitch = self.data.crops(count, self.config.frames, generator, rows)
        peak = waveform.abs().amax(1, keepdim=True).clamp_min(1e-3)
        waveform = waveform * torch.minimum(torch.from_numpy(gain[rows]).float(), 0.99 / peak)
        return waveform, pitch, quality

    def loss(self, batch: tuple[Tensor, Tensor, int], step: int) -> Losses:
        return self._loss(*batch, step)

    @in_float32
    def _loss(self, waveform: Tensor, pitch: Tensor, quality: int, step: int) -> Losses:
        codes = self.model.quantize(waveform, pitch, quality)
        estimate = self.model.synthesize(codes, quality, first_sample=step * 1000)
        compared = self.compare(estimate, waveform, carries_waveform=codes.waveform is not None)
        total = compared.total + float(self.model.ema_commitment_weight[quality - 1]) * codes.commitment
        self._hold_rates(codes, quality)
        second = SAMPLE_RATE / CODE_HOP
        return Losses(
            total,
            {
                **compared.logged,
                "commitment": codes.commitment.detach(),
                "envelope_bps": codes.envelope_bits.detach() * second,
                "waveform_bps": codes.waveform_bits.detach() * second,
                "commitment_weight": self.model.ema_commitment_weight[quality - 1].clone(),
            },
        )

    @torch.no_grad()
    def _hold_rates(self, codes: SpeechCodes, quality: int) -> None:
        q, second = quality - 1, SAMPLE_RATE / CODE_HOP
        bits = mean_over_ranks(torch.stack([codes.envelope_bits, codes.waveform_bits]).detach())
        excess = float(bits[0]) * second / self.config.envelope_bps[q] - 1
        self.model.ema_commitment_weight[q] *= math.exp(self.config.commitment_rate * max(-1.0, min(1.0, excess)))
        self.model.ema_commitment_weight.clamp_(1e-5, 1.0)
        if codes.waveform is not None:
            excess = float(bits[1]) * second / self.config.waveform_bps[q] - 1
            self.model.waveform_gain[q] *= math.exp(-self.config.gain_rate * max(-1.0, min(1.0, excess)))

    def validate(self) -> Mapping[str, float]:
        """PESQ-WB and STOI at four qualities; the score weighs them equally: 0.25 of STOI counts as one of PESQ."""
        chosen = evenly_spaced(self.data.dataset.validation, self.config.validation_utterances)
        rows = score_qualities(self.model, self.data.dataset, chosen, sorted({1, 4, 7, self.model.qualities}))
        figures: dict[str, float] = {"score": 0.0}
        for quality, row in rows.items():
            figures |= {f"{quality}_{name}": value for name, value in row.items()}
            figures["score"] -= row["pesq_wb"] + 4 * row["stoi"]
        return figures


def score_qualities(
    model: SpeechModel,
    dataset: AudioDataset,
    utterances: Sequence[int],
    qualities: Iterable[int] | None = None,
    *,
    seconds: float = 5.0,
) -> dict[str, dict[str, float]]:
    """Mean PESQ-WB and STOI, and kbps without container, of the first seconds of these utterances."""
    pesq, stoi = speech_metrics()
    device = model.klt.device
    result = {}
    for quality in tracked(qualities or range(1, model.qualities + 1)):
        scores = []
        for i in utterances:
            x = dataset.cut(i, 0, min(int(dataset.lengths[i]), int(seconds * SAMPLE_RATE)))
            x = np.pad(x, (0, -len(x) % CODE_HOP))
            with torch.inference_mode():
                codes = model.encode(torch.from_numpy(x)[None].to(device), quality)
                y = model.decode(codes, quality)[0].cpu().numpy().clip(-1, 1)
            symbols = model.to_symbols(codes[0].cpu().numpy())
            probabilities = np.take_along_axis(model.static_frequencies(quality), symbols, 1) / 2**16
            kbps = float(-np.log2(probabilities).sum()) / len(x) * SAMPLE_RATE / 1000
            score = pesq(SAMPLE_RATE, x, y, "wb", on_error=1)  # 1: a negative score where there is no speech
            if score > 0:
                scores.append((kbps, float(score), float(stoi(x, y, SAMPLE_RATE))))
        if not scores:
            raise TrainingError("there is no speech in the validation recordings; PESQ cannot be measured on them")
        mean = np.mean(scores, 0)
        result[f"quality_{quality}"] = {"kbps": float(mean[0]), "pesq_wb": float(mean[1]), "stoi": float(mean[2])}
    return result


def speech_metrics() -> tuple[Any, Any]:
    """The functions `pesq` and `stoi`; TrainingError when they are not installed."""
    with needs_extra("eval", "speech is validated by PESQ and STOI, which are not installed", TrainingError):
        from pesq import pesq
        from pystoi import stoi
    return pesq, stoi
