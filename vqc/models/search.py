"""The encoder's choice of codes: rate–distortion optimised quantization.

    signal ─ model.encoder_search ─► EncoderSearch ─ search ─► codes of least ‖z − e_k‖² + λ · bits(k)
    order-0 tables ─ model.static_bits ─► bits ────────┘

The bits are those of the tables and not of the prior alone: choosing by the prior's gains 1.5 % by PSNR and loses 10 %
by MS-SSIM, because it drops the faint details that the prior does not expect. A mixture of both gains by either: see
`vqc.models.photo.search`. Only the encoder's choice changes: whatever it takes, any decoder reads. Errors are in units
in which one bit is worth one at λ = 1, as in entropy-constrained vector quantization (Chou, Lookabaugh and Gray 1989);
λ relative to that of the quality is called `lambda_scale`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor


class OperatingPoint(NamedTuple):
    """The point of its rate–distortion curve at which an encoder works."""

    quality: int  # 1-based
    lambda_scale: float  # price of a bit in units of squared error, relative to that of the quality


class EncoderSearch(ABC):
    """The codes of one tile or chunk, still to be chosen."""

    refines: ClassVar[bool] = False  # whether `refine` does anything
    weighs_prior: bool = True  # whether a search may count bits of the prior: to be unset where it does not code
    effort: int | None = None  # how often `refine` will be called, where that is not as usual: to be set before

    @property
    @abstractmethod
    def codes(self) -> Tensor:
        """The codes int64 [B, G, ...], contiguous, as `encode` gives them."""

    @property
    def default_effort(self) -> int:
        """How often codes are refined where no effort is asked for."""
        return 0

    def search(self, bits: Tensor, lambda_scale: float = 1.0) -> Tensor:
        """Find codes int64 [B, G, ...] of least error + lambda_scale · bits.

        Args:
            bits: [G, K], what each entry costs; K is at least the size of the largest codebook.
        """
        return self.codes

    @abstractmethod
    def refine(self, codes: Tensor) -> None:
        """Aim at what makes up for the errors that inner codes [B, G, ...] leave in the decoded signal."""


class WindowSearch(EncoderSearch):
    """The codes of a window of the signal. This one has no choice: it gives the codes of `encode`.

    Args:
        window_codes: int64 [B, G, ...], the codes that `encode` gives for the window.
        inner: the part of each axis of a code map in which codes are to be chosen; () for all.
    """

    def __init__(self, window_codes: Tensor, inner: tuple[slice, ...] = ()) -> None:
        self._window_codes, self.inner = window_codes, inner

    @property
    def window_codes(self) -> Tensor:
        """The codes int64 [B, G, ...] that `encode` gives for the window."""
        return self._window_codes

    @property
    def codes(self) -> Tensor:
        return self.window_codes[(slice(None), slice(None), *self.inner)].clone(memory_format=torch.contiguous_format)

    def window_with(self, codes: Tensor) -> Tensor:
        """The codes of the window with these [B, G, ...] in its inner part."""
        window = self.window_codes.clone()
        window[(slice(None), slice(None), *self.inner)] = codes
        return window

    def refine(self, codes: Tensor) -> None:
        pass
