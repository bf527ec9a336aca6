"""The encoder's search for the codes of a photo, and its aim at the decoded image instead of the latents.

::

    latents ─► DC codes: the nearest, whatever they cost
        └────► AC residual ─ product ECVQ, bits of the static tables ─► AC codes ─► decoded image ─ gradient ─► latents
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from vqc.devices import quick_networks
from vqc.models.search import EncoderSearch
from vqc.nn.ecvq import to_maps, to_rows

REFINEMENT = 0.5  # share of a step of `refine` that is taken
MOMENTUM = 0.3  # share of the step before that is made again


class PhotoSearch(EncoderSearch):
    """Codes of a window [B, 3, H, W] of an image, of a `PhotoModel`."""

    refines: ClassVar[bool] = True

    def __init__(self, model: Any, image: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> None:
        self.model, self.image, self.quality = model, image, quality
        self.index = model.index(quality)
        with quick_networks(image.device):
            self.latents = model.latents(image, self.index)  # [B, D, h, w]
        self.step, self.rotated = torch.zeros_like(self.latents), False
        dc, self.ac = self._dc_and_ac()
        self.dc_groups = dc.shape[1]
        groups = len(model.codebook_sizes(quality)) - self.dc_groups
        codes = model.quantizer.encode(to_rows(self.ac), quality - 1, groups)  # [B·h·w, G - 3]
        super().__init__(torch.cat([dc, to_maps(codes, dc)], 1), inner)

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        codes, groups = self.codes, slice(self.dc_groups, None)  # [B, G, h, w]
        ac = self.ac[(slice(None), slice(None), *self.inner)]  # [B, D - 3, h, w]
        found = self.model.quantizer.encode(to_rows(ac), self.quality - 1, bits=lambda_scale * bits[groups])
        codes[:, groups] = to_maps(found, ac)
        return codes

    def refine(self, codes: Tensor) -> None:
        """Make a step of proximal gradient descent on the error of the decoded image, with momentum (Polyak 1964).

        With a linear orthonormal decoder it would lead back to the latents of the image. Of a self-ensemble,
        steps look at one image and the other in turn.
        """
        model = self.model
        self.rotated = model.config.both_ways and not self.rotated
        synthesize = model.synthesize_rotated if self.rotated else model.synthesize
        decoded = model.dequantize(self.window_with(codes), self.quality)  # [B, D, h, w]
        with torch.inference_mode(False), torch.enable_grad():
            at = decoded.clone().requires_grad_(True)
            with quick_networks(at.device):
                error = (synthesize(at, self.index.clone()) - self.image.clone()).square().sum()
            # in the units of the latents: 8-bit squares over λ
            (slope,) = torch.autograd.grad(error * (255**2 / model.config.lambdas[self.quality - 1]), at)
        self.step = self.step * MOMENTUM + (decoded - slope / 2 - self.latents) * REFINEMENT
        self.latents = self.latents + self.step
        dc, self.ac = self._dc_and_ac()
        self.window_codes = torch.cat([dc, self.window_codes[:, self.dc_groups :]], 1)

    def _dc_and_ac(self) -> tuple[Tensor, Tensor]:
        """DC codes int64 [B, 3, h, w] of the latents and their AC residual [B, D - 3, h, w]."""
        dc = self.model.dc_codes(self.latents)
        return dc, self.model.ac_residual(self.latents, dc, self.index)
