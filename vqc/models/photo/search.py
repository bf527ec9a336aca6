"""The encoder's search for the codes of a photo, and its aim at the decoded image instead of the latents.

::

    latents ─► DC codes: the nearest, whatever they cost
        └────► AC residual ─ product ECVQ, bits of the static tables ─► AC codes ─► decoded image ─ gradient ─► latents
                                    from the second choice on, of the prior as well ◄───┘
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor

from vqc.devices import one_thread, quick_networks
from vqc.models.search import EncoderSearch, WindowSearch
from vqc.nn.ecvq import Tilts, to_maps, to_rows


class Gains(NamedTuple):
    """Of the components of latents, which come from coarse to fine."""

    fine: float  # of the last ones
    rise: float  # what the first has more, and the sixtieth half of

    def of(self, latents: Tensor) -> Tensor:
        """Return those of latents [B, D, h, w], [D, 1, 1]."""
        components = torch.arange(latents.shape[1], device=latents.device)[:, None, None]
        return self.fine + self.rise / (1 + components / 60)


@dataclass(frozen=True)
class Steps:
    """Shares of the way to their aim that steps go: the last a short one, as aims are noisy."""

    linear: tuple[float, ...]  # come first: see `PhotoSearch.refine`
    whole: tuple[float, ...]

    @property
    def count(self) -> int:
        """So many are taken where no effort is asked for."""
        return len(self.linear) + len(self.whole)

    def step(self, index: int, of: int | None = None) -> tuple[bool, float]:
        """Whether a step, counted from 0, is linear, and its share; steps after these are shorter and shorter.

        Args:
            of: how many there will be, where that is not as usual: fewer are picked evenly, the first first.
        """
        shares, later = self.linear + self.whole, index - self.count + 1
        if later > 0:
            return False, 1 / (1 / shares[-1] + later)
        if of is not None and of < self.count:
            index = round(index * (self.count - 1) / max(1, of - 1))
        return index < len(self.linear), shares[index]


class Plan(NamedTuple):
    """How codes are refined, at one λ."""

    window: Steps
    tile: Steps  # of a large photo, whose time counts
    gains: Gains  # by which steps go further than to what makes up for the error
    linear_gains: Gains
    asks_prior: bool = True  # at the lowest rates that takes too much of the little time that the rest takes


# By the λ that they are below. Found on validation photos, for the time that there was: two linear steps take that of
# one. Gains make up for what the decoder takes off contrasts that it is not sure of.
PLANS = {
    700.0: Plan(
        Steps((0.6, 0.5, 0.4, 0.28, 0.13), ()),
        Steps((0.6, 0.5, 0.35, 0.15), ()),
        gains=Gains(0.6, 0.6),
        linear_gains=Gains(1.05, 0.5),
    ),
    2_500.0: Plan(
        Steps((0.5, 0.45, 0.33, 0.22), (0.14, 0.07)),
        Steps((0.5, 0.45, 0.35, 0.28, 0.18, 0.09), ()),
        gains=Gains(0.65, 0.7),
        linear_gains=Gains(0.9, 0.5),
    ),
    5_000.0: Plan(
        Steps((0.5, 0.4), (0.25, 0.15, 0.08)),
        Steps((0.5, 0.4, 0.25), (0.15, 0.08)),
        gains=Gains(0.6, 0.6),
        linear_gains=Gains(0.8, 0.5),
    ),
    math.inf: Plan(
        Steps((0.5, 0.33), (0.25, 0.12)),
        Steps((0.5, 0.4, 0.25), (0.12,)),
        gains=Gains(1.0, 0.0),
        linear_gains=Gains(0.7, 0.5),
        asks_prior=False,
    ),
}

# From the second choice on, this share of a bit is the prior's in the first shapes of groups, where it knows most; the
# rest, and the other shapes, are the static tables'. More of either drops faint details in flat places: better by PSNR
# and worse by MS-SSIM. Found on validation photos.
PRIOR_SHAPES, PRIOR_SHARE = 4, 0.75

CONTEXT = 2  # codes around those that are chosen; four in place of two save 0.02 % of the bits in a tenth more time
PART = (32, 32)  # most codes of a tile, along both axes, that are chosen together: a whole step takes memory
LINEAR_PART = (32, 64)  # the same where all usual steps are linear; more than these take twice the memory


class PhotoSearch(WindowSearch):
    """Codes of a window [B, 3, H, W] of an image, of a `PhotoModel`; or of a part of a tile of a large one."""

    refines: ClassVar[bool] = True

    def __init__(
        self, model: Any, image: Tensor, quality: int, inner: tuple[slice, ...] = (), *, of_tile: bool = False
    ) -> None:
        self.model, self.quality = model, quality
        self.index = model.index(quality)
        coefficients = model.coefficients(image)  # [B, D, h, w]
        with quick_networks(image.device):
            self.latents = model.latents_of(coefficients, image, self.index)  # [B, D, h, w]
        self.error = model.decoded_error(image, coefficients, quality)
        self.plan = plan_of(model.config.lambdas[quality - 1])
        self.steps = self.plan.tile if of_tile else self.plan.window
        self.begun, self.rotated, self.tilts = 0, False, list[Tilts]()
        dc_codes = self._aim()
        self.first_ac = self.ac
        super().__init__(dc_codes, inner)

    @property
    def default_effort(self) -> int:
        return self.steps.count

    @property
    def window_codes(self) -> Tensor:
        return torch.cat([self._window_codes, self.first_ac_codes], 1)

    @cached_property
    def first_ac_codes(self) -> Tensor:
        """The AC codes [B, G - 3, h, w] of the window before any step of `refine`."""
        model, groups = self.model, len(self.model.codebook_sizes(self.quality)) - self._window_codes.shape[1]
        codes = to_maps(model.quantizer.encode(to_rows(self.first_ac), self.quality - 1, groups), self.first_ac)
        del self.first_ac  # four times as large
        return codes

    def window_with(self, codes: Tensor) -> Tensor:
        whole = codes.shape[2:] == self.ac.shape[2:]
        return codes if whole else super().window_with(codes)

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        inner = slice(None), slice(None), *self.inner
        dc_codes, ac = self._window_codes[inner], self.ac[inner]  # [B, 3, h, w], [B, D - 3, h, w]
        costs = lambda_scale * bits[dc_codes.shape[1] :]
        costs[: sum(len(tilts.features) for tilts in self.tilts)] *= 1 - PRIOR_SHARE
        scaled = [Tilts(tilts.coefficients, lambda_scale * PRIOR_SHARE * tilts.features) for tilts in self.tilts]
        with one_thread():  # here and below: what is no network has small operations
            found = self.model.quantizer.encode(to_rows(ac), self.quality - 1, bits=costs, tilts=scaled)
        return torch.cat([dc_codes, to_maps(found, ac)], 1)

    def refine(self, codes: Tensor) -> None:
        """Make a step of proximal gradient descent on the error of the decoded image.

        With a linear orthonormal decoder it would lead back to the latents of the image. Of a self-ensemble,
        steps look at one image and the other in turn. Latents are means of all aims (Robbins and Monro 1951).
        The first steps are linear, at high rates all: what the decoder's network adds is taken for a constant, in half
        the time and a fifth of the memory. See `Plan`.
        """
        model, window = self.model, self.window_with(codes)
        if self.weighs_prior and self.plan.asks_prior and not self.begun and model.prior is not None:
            with one_thread():
                self.tilts = list(self._tilts(window.contiguous()))
        self.rotated = model.config.both_ways and not self.rotated
        ac_codes = window[:, self._window_codes.shape[1] :]
        with one_thread():
            ac = model.dequantize_ac(ac_codes, self.quality) + self.predicted
            decoded = torch.cat([model.dc_values(self._window_codes), ac], 1)  # [B, D, h, w]
        linear, share = self.steps.step(self.begun, self.effort)
        self.begun += 1
        step = (self.error.linear_step if linear else self.error.step)(decoded, rotated=self.rotated)
        with one_thread():
            gains = (self.plan.linear_gains if linear else self.plan.gains).of(step)
            self.latents = torch.lerp(self.latents, torch.addcmul(decoded, step, gains), share)
            self._window_codes = self._aim()

    def _tilts(self, codes: Tensor) -> Iterator[Tilts]:
        """What the prior makes of the bits of inner codes, given those [B, G, h, w] of the window.

        The first choice says enough of what is around: with the prior asked again for every choice all is 0.2 % better
        by PSNR and 0.2 % worse by MS-SSIM, in much more time.
        """
        inner = slice(None), slice(None), *self.inner
        for coefficients, features in self.model.prior.tilts(codes, self.quality, PRIOR_SHAPES):
            own = coefficients.view(len(coefficients), len(codes), *codes.shape[2:], -1)[inner]  # [G, B, h, w, F]
            yield Tilts(own.flatten(1, -2), features)

    def _aim(self) -> Tensor:
        """Take the AC residual [B, D - 3, h, w] of the latents; return their DC codes int64 [B, 3, h, w]."""
        dc_codes = self.model.dc_codes(self.latents)
        self.predicted = self.model.predict_ac(self.model.dc_values(dc_codes), self.index)
        self.ac = self.latents[:, dc_codes.shape[1] :] - self.predicted
        return cast(Tensor, dc_codes)


def plan_of(lmbda: float) -> Plan:
    """The plan for a λ."""
    return next(plan for below, plan in PLANS.items() if lmbda < below)


class TileSearch(EncoderSearch):
    """Codes of a tile of a large photo, chosen part by part: a refinement of all at once needs half a gigabyte.

    Args:
        image: the tile with what is around it, [1, 3, H, W], in blocks of `block` pixels a side.
        inner: the tile's own codes among those of the image, along both axes.
    """

    refines: ClassVar[bool] = True

    def __init__(self, model: Any, image: Tensor, quality: int, inner: tuple[slice, ...], *, block: int) -> None:
        self.shape = tuple(side.stop - side.start for side in inner)
        self.parts, self.places = list[PhotoSearch](), list[tuple[slice, slice]]()
        part = PART if plan_of(model.config.lambdas[quality - 1]).tile.whole else LINEAR_PART
        lines = (
            _cut(side, length // block, most) for side, length, most in zip(inner, image.shape[2:], part, strict=True)
        )
        for rows, columns in product(*lines):
            top, left = (slice(side.outer.start * block, side.outer.stop * block) for side in (rows, columns))
            own = rows.inner, columns.inner
            self.parts.append(PhotoSearch(model, image[:, :, top, left], quality, own, of_tile=True))
            self.places.append((rows.place, columns.place))

    @property
    def default_effort(self) -> int:
        return self.parts[0].default_effort

    @property
    def codes(self) -> Tensor:
        return self._joined([part.codes for part in self.parts])

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        return self._joined([part.search(bits, lambda_scale) for part in self.parts])

    def refine(self, codes: Tensor) -> None:
        for part, place in zip(self.parts, self.places, strict=True):
            part.weighs_prior, part.effort = self.weighs_prior, self.effort
            part.refine(codes[(..., *place)])

    def _joined(self, codes: list[Tensor]) -> Tensor:
        """The codes [B, G, h, w] of the tile, of those of its parts."""
        joined = codes[0].new_empty(*codes[0].shape[:2], *self.shape)
        for some, place in zip(codes, self.places, strict=True):
            joined[(..., *place)] = some
        return joined


class _Side(NamedTuple):
    """A part's codes along one axis."""

    outer: slice  # with context, in the image
    inner: slice  # its own, among those with context
    place: slice  # its own, in the tile


def _cut(inner: slice, length: int, most: int) -> Iterator[_Side]:
    """Cut the codes `inner` of a line of so many into parts, each with its context."""
    for start in range(inner.start, inner.stop, most):
        stop = min(start + most, inner.stop)
        first, last = max(0, start - CONTEXT), min(length, stop + CONTEXT)
        place = slice(start - inner.start, stop - inner.start)
        yield _Side(slice(first, last), slice(start - first, stop - first), place)
