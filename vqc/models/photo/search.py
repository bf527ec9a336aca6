"""The encoder's search for the codes of a photo, and its aim at the decoded image instead of the latents.

::

    latents ─► DC codes: the nearest, whatever they cost
        └────► AC residual ─ product ECVQ, bits of the static tables ─► AC codes ─► decoded image ─ gradient ─► latents
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from vqc.devices import quick_networks
from vqc.models.search import EncoderSearch
from vqc.nn.ecvq import to_maps, to_rows

# Above this λ the aims of `refine` jump about with the codes, so that their mean is the better aim; below they do not,
# and half a step towards each, with some of the step before, comes further.
JUMPING = 500.0
SHARE, MOMENTUM = 0.5, 0.3


class PhotoSearch(EncoderSearch):
    """Codes of a window [B, 3, H, W] of an image, of a `PhotoModel`."""

    refines: ClassVar[bool] = True

    def __init__(self, model: Any, image: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> None:
        self.model, self.image, self.quality = model, image, quality
        self.index = model.index(quality)
        with quick_networks(image.device):
            self.latents = model.latents(image, self.index)  # [B, D, h, w]
        self.step, self.steps, self.rotated = torch.zeros_like(self.latents), 0, False
        dc_codes = self._aim()
        self.first_ac = self.ac
        super().__init__(dc_codes, inner)

    @property
    def window_codes(self) -> Tensor:
        return torch.cat([self._window_codes, self.first_ac_codes], 1)

    @cached_property
    def first_ac_codes(self) -> Tensor:
        """The AC codes [B, G - 3, h, w] of the window before any step of `refine`."""
        model, groups = self.model, len(self.model.codebook_sizes(self.quality)) - self._window_codes.shape[1]
        return to_maps(model.quantizer.encode(to_rows(self.first_ac), self.quality - 1, groups), self.first_ac)

    def window_with(self, codes: Tensor) -> Tensor:
        whole = codes.shape[2:] == self.ac.shape[2:]
        return codes if whole else super().window_with(codes)

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        inner = slice(None), slice(None), *self.inner
        dc_codes, ac = self._window_codes[inner], self.ac[inner]  # [B, 3, h, w], [B, D - 3, h, w]
        costs = lambda_scale * bits[dc_codes.shape[1] :]
        found = self.model.quantizer.encode(to_rows(ac), self.quality - 1, bits=costs)
        return torch.cat([dc_codes, to_maps(found, ac)], 1)

    def refine(self, codes: Tensor) -> None:
        """Make a step of proximal gradient descent on the error of the decoded image.

        With a linear orthonormal decoder it would lead back to the latents of the image. Of a self-ensemble,
        steps look at one image and the other in turn. At low rates latents are the mean of all aims (Robbins and
        Monro 1951), at high ones steps have momentum (Polyak 1964).
        """
        model = self.model
        self.rotated = model.config.both_ways and not self.rotated
        synthesize = model.synthesize_rotated if self.rotated else model.synthesize
        ac_codes = self.window_with(codes)[:, self._window_codes.shape[1] :]
        ac = model.dequantize_ac(ac_codes, self.quality) + self.predicted
        decoded = torch.cat([model.dc_values(self._window_codes), ac], 1)  # [B, D, h, w]
        with torch.inference_mode(False), torch.enable_grad():
            at = decoded.clone().requires_grad_(True)
            with quick_networks(at.device):
                image = synthesize(at, self.index.clone())
            # the slope of its squared error, in the units of the latents: 8-bit squares over λ
            error = image.detach().sub_(self.image).mul_(2 * 255**2 / model.config.lambdas[self.quality - 1])
            # a product of its own, because to be given slopes makes torch import its compiler
            (slope,) = torch.autograd.grad(torch.dot(image.flatten(), error.flatten()), at)
        self.steps += 1
        mean = model.config.lambdas[self.quality - 1] > JUMPING
        share, momentum = (1 / (self.steps + 1), 0.0) if mean else (SHARE, MOMENTUM)
        self.step = self.step * momentum + (decoded - slope / 2 - self.latents) * share
        self.latents = self.latents + self.step
        self._window_codes = self._aim()

    def _aim(self) -> Tensor:
        """Take the AC residual [B, D - 3, h, w] of the latents; return their DC codes int64 [B, 3, h, w]."""
        dc_codes = self.model.dc_codes(self.latents)
        self.predicted = self.model.predict_ac(self.model.dc_values(dc_codes), self.index)
        self.ac = self.latents[:, dc_codes.shape[1] :] - self.predicted
        return cast(Tensor, dc_codes)
