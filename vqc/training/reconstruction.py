"""The task of the paper models: reconstruct the signal through the codebook (equation 3 of arXiv 1711.00937)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.errors import TrainingError
from vqc.models.audio_vqvae import AudioVQVAE
from vqc.models.image_vqvae import ImageVQVAE
from vqc.training.loop import Losses

INITIALISATION_BATCHES = 8  # latents of so many batches place the codebook


@dataclass
class ReconstructionTask:
    """Mean squared error in units of the signal's variance, plus the quantizer's loss.

    For the first `free_steps` steps latents pass unquantized (with a pull towards unit scale); then k-means on the
    latents places the codebook and training goes on with it.
    """

    model: ImageVQVAE | AudioVQVAE
    batches: Callable[[int], Tensor]  # step → [B, 3, H, W] or [B, T]
    validation: Sequence[Tensor]  # batches
    variance: float  # of the training signal
    free_steps: int = 300

    def __post_init__(self) -> None:
        if not self.variance > 0:
            raise TrainingError("the training signals are constant; there is nothing to learn from them")

    def batch(self, step: int) -> Tensor:
        return self.batches(step)

    def loss(self, batch: Tensor, step: int) -> Losses:
        if step < self.free_steps:
            latents = self.model.latents(batch)
            mse = F.mse_loss(self.model.reconstruct(latents), batch)
            scale = latents.square().mean()
            return Losses(
                mse / self.variance + 0.01 * (scale - 1).square(), {"mse": mse.detach(), "scale": scale.detach()}
            )
        if step == self.free_steps:
            self._place_codebook(step)
        out = self.model(batch)
        mse = F.mse_loss(out.signal, batch)
        logged = {
            "mse": mse.detach(),
            "vq": out.latents.loss.detach(),
            "perplexity": out.latents.perplexity,
            "used": out.latents.fraction_used,
        }
        return Losses(mse / self.variance + out.latents.loss, logged)

    @torch.inference_mode()
    def validate(self) -> Mapping[str, float]:
        """Mean squared error (the score) and perplexity over all validation batches."""
        return evaluate(self.model, self.validation)

    @torch.no_grad()
    def _place_codebook(self, step: int) -> None:
        latents = [self.model.latents(self.batches(step + i)) for i in range(INITIALISATION_BATCHES)]
        vectors = torch.cat([z.movedim(1, -1).flatten(0, -2) for z in latents])
        self.model.quantizer.initialise(vectors, seed=step)


@torch.inference_mode()
def evaluate(model: ImageVQVAE | AudioVQVAE, batches: Sequence[Tensor]) -> dict[str, float]:
    """Figures of a model in evaluation mode: "mse" of its (clamped) reconstruction, "perplexity", "score" = mse."""
    low = 0.0 if isinstance(model, ImageVQVAE) else -1.0
    squares, samples = 0.0, 0
    histogram = torch.zeros(model.quantizer.codebook_size)
    for batch in batches:
        codes = model.encode(batch, 1)
        error = model.decode(codes, 1).clamp(low, 1) - batch
        squares += float(error.double().square().sum())
        samples += batch.numel()
        histogram += torch.bincount(codes.flatten(), minlength=len(histogram))
    perplexity = float(torch.special.entr(histogram / histogram.sum()).sum().exp())
    return {"score": squares / samples, "mse": squares / samples, "perplexity": perplexity}
