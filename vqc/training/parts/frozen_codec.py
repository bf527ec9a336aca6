"""A trained codec inside a training: it stands still, and computes as it does for files, whatever the run does.

Forward passes of a run may be in bfloat16, and a codec asked in the middle of one would answer in bfloat16 too: with
codes that no file holds (one in forty of speech, one in eighty of photos), or not at all. Whatever learns from a
trained codec asks it through this class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vqc.models.base import CodecModel
from vqc.nn.precision import in_float32


class FrozenCodec(nn.Module):
    """Encoder and decoder of a codec without gradient or autocast. As a module it moves to the device of the training.

    Args:
        codec: is set to evaluation mode, and its parameters are frozen.
        freeze: False leaves both as they are, for a model of which other parts are being trained.
    """

    def __init__(self, codec: CodecModel, *, freeze: bool = True) -> None:
        super().__init__()
        self.codec: Any = codec.eval().requires_grad_(False) if freeze else codec

    def encode(self, signal: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, ...] of [B, 3, H, W] in [0, 1] or [B, T] in [-1, 1], as the encoder gives them."""
        return self._compute(signal, self.codec.encode, quality)

    def encode_as_files_do(self, signal: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, ...] of a signal that a file holds at the default effort."""
        return self._compute(signal, self.codec.encode_as_files_do, quality)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        """Signal [B, ...] that codes [B, G, ...] are restored to."""
        return self._compute(codes, self.codec.decode, quality)

    def _compute(self, x: Tensor, function: Callable[[Tensor, int], Tensor], quality: int) -> Tensor:
        return self._infer(x, function, quality).clone()  # an inference tensor may not be kept for a backward pass

    @torch.inference_mode()
    @in_float32
    def _infer(self, x: Tensor, function: Callable[[Tensor, int], Tensor], quality: int) -> Tensor:
        return function(x, quality)
