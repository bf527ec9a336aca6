"""The task of the paper models: reconstruct the signal through the codebook (equation 3 of arXiv 1711.00937)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vqc.errors import TrainingError
from vqc.models.config import Config, limited
from vqc.models.vqvae.audio import AudioVQVAE
from vqc.models.vqvae.image import ImageVQVAE
from vqc.models.vqvae.model import Reconstruction
from vqc.nn.distributed import rows_of_all_ranks
from vqc.training.adversarial import AdversarialTask, make_critic
from vqc.training.loop.task import Losses
from vqc.training.losses import CODEC_SHAPES, LogMelLoss, ReconstructionLoss
from vqc.training.media import MEDIA

PaperModel = ImageVQVAE | AudioVQVAE

INITIALISATION_BATCHES = 8  # whose latents place the codebook
VECTORS_PER_ENTRY = 4  # of a codebook, at least: otherwise more batches are taken
FREE_SCALE = 0.01  # weight of the pull towards unit scale before there is a codebook


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig(Config):
    """Settings of batches, and the weights of the losses; one of weight 0 is left out.

    The paper's loss is `mse` alone. `adversarial` weighs what the decoder learns from a critic, and
    `feature_matching` the likeness of the critic's hidden layers, in units of `adversarial`.
    """

    batch_size: int = limited(32, 1)  # of all processes together
    crop: int = limited(0, 0)  # pixels a side, or samples; 0: whole images
    max_shift: int = limited(0, 0)  # pixels by which whole images are moved at random
    validation_items: int = limited(300, 1)  # images or recordings, at most
    free_steps: int = limited(300, 0)  # before the codebook is placed
    mse: float = limited(1.0, 0)  # in units of the variance of the signals
    l1: float = limited(0.0, 0)  # in units of its root
    relative: float = limited(0.0, 0)  # squared error of each signal in units of its own power
    stft: float = limited(0.0, 0)  # waveforms: spectra at three resolutions
    mel: float = limited(0.0, 0)  # waveforms: log-mel spectra at seven resolutions
    adversarial: float = limited(0.0, 0)
    feature_matching: float = limited(2.0, 0)
    adversarial_start: int = limited(5_000, 0)  # step
    critic_width: int = limited(16, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any(self.weights.values()):
            raise ValueError("nothing compares signals: give one of mse, l1, relative, stft and mel a weight above 0")

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the losses that compare a reconstruction with its original."""
        return {"mse": self.mse, "l1": self.l1, "relative": self.relative, "stft": self.stft, "mel": self.mel}


PAPER = ReconstructionConfig()


class ReconstructionTask(AdversarialTask):
    """The weighted losses of a reconstruction plus the quantizer's loss.

    For the first `free_steps` steps latents pass unquantized (with a pull towards unit scale); then k-means on the
    latents places the codebook, and training continues with it. The codebook of a warm start is used at once.
    """

    model: PaperModel

    def __init__(
        self,
        model: PaperModel,
        batches: Callable[[int], Tensor],
        validation: Sequence[Tensor],
        config: ReconstructionConfig = PAPER,
        *,
        variance: float,
    ) -> None:
        """
        Args:
            batches: step → [B, 3, H, W] or [B, T], this process' rows of the batch.
            validation: batches of the same sort.
            variance: that of the training signals.

        Raises:
            TrainingError: the signals are constant.
            OptionError: a loss of another medium, or images too small for a critic.
        """
        if not variance > 0:
            raise TrainingError("the training signals are constant; there is nothing to learn from them")
        self.model, self.batches, self.validation, self.config = model, batches, validation, config
        self.variance, self.networks = variance, (model.encoder, model.decoder)
        self.medium, rate = MEDIA[model.media], getattr(model, "sample_rate", None)
        self.compare = ReconstructionLoss(config.weights, variance=variance, sample_rate=rate)
        if config.adversarial:
            side = config.crop or min(min(batch.shape[-2:]) for batch in validation)
            critic = make_critic(model.media, side, config.critic_width)
            self.add_critic(critic, config.adversarial, config.feature_matching, config.adversarial_start)

    def batch(self, step: int) -> Tensor:
        return self.batches(step)

    def loss(self, batch: Tensor, step: int) -> Losses:
        if step <= self.config.free_steps and not self.model.quantizer.ema_steps:  # else it has its place
            if step < self.config.free_steps:
                return self._free_loss(batch)
            self._place_codebook(step)
        out: Reconstruction = self.model(batch)
        compared = self.compare(out.signal, batch)
        total = compared.total + out.latents.loss
        logged = {
            **{name: term.detach() for name, term in compared.terms.items()},
            **self._decibels(batch, compared.terms["mse"]),
            "vq": out.latents.loss.detach(),
            "perplexity": out.latents.perplexity,
            "used": out.latents.fraction_used,
            "codebook_size": float(self.model.quantizer.codebook_size),
        }
        return self.with_adversary(Losses(total, logged), out.signal, batch, step)

    def validate(self) -> Mapping[str, float]:
        """Figures of `evaluate`; the score is the mean squared error, or the weighted losses where there are others."""
        figures = evaluate(self.model, self.validation)
        others = [name for name, weight in self.config.weights.items() if weight and name != "mse"]
        return figures | self._compared() if others else figures

    @torch.inference_mode()
    def _compared(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        items = sum(len(batch) for batch in self.validation)
        for batch in self.validation:
            batch = batch.to(self._device)
            compared = self.compare(self.model.decode(self.model.encode(batch, 1), 1), batch)
            for name, term in {"score": compared.total, **compared.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(term) * len(batch) / items
        del sums["mse"]  # not clamped
        return sums

    def _free_loss(self, batch: Tensor) -> Losses:
        latents = self.model.latents(batch)
        compared = self.compare(self.model.reconstruct(latents), batch)
        scale = latents.float().square().mean()
        logged = {**compared.terms, **self._decibels(batch, compared.terms["mse"]), "scale": scale}
        return Losses(
            compared.total + FREE_SCALE * (scale - 1).square(), {name: term.detach() for name, term in logged.items()}
        )

    @torch.no_grad()
    def _decibels(self, batch: Tensor, mse: Tensor) -> dict[str, Tensor]:
        return {self.medium.fidelity: 10 * torch.log10(self.medium.power(batch) / mse.clamp_min(1e-9))}

    @torch.no_grad()
    def _place_codebook(self, step: int) -> None:
        quantizer = self.model.quantizer
        vectors: list[Tensor] = []
        while len(vectors) < INITIALISATION_BATCHES or _rows(vectors) < VECTORS_PER_ENTRY * quantizer.codebook_size:
            latents = self.model.latents(self.batches(step + len(vectors)).to(self._device))
            rows = latents.float().movedim(1, -1).flatten(0, -2)  # [N, D]
            vectors.append(rows_of_all_ranks(rows))  # so that all processes place it alike
        quantizer.initialise(torch.cat(vectors), seed=step)

    @property
    def _device(self) -> torch.device:
        return self.model.quantizer.codebook.device


def _rows(tensors: Sequence[Tensor]) -> int:
    return sum(len(t) for t in tensors)


@torch.inference_mode()
def evaluate(model: PaperModel, batches: Sequence[Tensor]) -> dict[str, float]:
    """Figures of a model in evaluation mode over all batches.

    Of the clamped reconstruction: "mse", and for images "psnr" in dB, for waveforms "relative_mse" (to the power of the
    signal), "snr" in dB and "mel" (a mean over batches). Of the codes: "perplexity", and "codes_used", how many occur.
    "score" is the mse.
    """
    device, lowest = model.quantizer.codebook.device, MEDIA[model.media].lowest
    rate: int | None = getattr(model, "sample_rate", None)
    mel = None if rate is None else LogMelLoss(CODEC_SHAPES, rate).to(device)
    squares, power, samples, mel_sum = 0.0, 0.0, 0, 0.0
    histogram = torch.zeros(model.quantizer.codebook_size, dtype=torch.float64)
    for batch in batches:
        batch = batch.to(device)
        codes = model.encode(batch, 1)
        restored = model.decode(codes, 1).clamp(lowest, 1)
        squares += float((restored - batch).double().square().sum())
        power += float(batch.double().square().sum())
        samples += batch.numel()
        mel_sum += float(mel(restored, batch)) if mel is not None else 0.0
        histogram += torch.bincount(codes.flatten(), minlength=len(histogram)).cpu()
    mse = squares / samples
    figures = {"score": mse, "mse": mse}
    if mel is None:
        figures["psnr"] = -10 * math.log10(max(mse, 1e-12))
    else:
        relative = squares / max(power, 1e-12)
        figures |= {
            "relative_mse": relative,
            "snr": -10 * math.log10(max(relative, 1e-12)),
            "mel": mel_sum / len(batches),
        }
    perplexity = float(torch.special.entr(histogram / histogram.sum()).sum().exp())
    return figures | {"perplexity": perplexity, "codes_used": float((histogram > 0).sum())}
