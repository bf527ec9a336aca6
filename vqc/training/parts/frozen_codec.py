"""A finished codec inside a training: it stands still, and computes in float32 whatever the precision of the run.

Forward passes of a run may be in bfloat16, and a codec asked in the middle of one would answer in bfloat16 too: with
codes that no file holds (one in forty of speech, one in eighty of photos), or not at all. Whatever learns from finished
codes asks for them here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vqc.models.base import CodecModel
from vqc.nn.precision import in_float32


class FrozenCodec(nn.Module):
    """A codec in evaluation mode whose parameters do not move. As a module it goes to the device of the training."""

    def __init__(self, codec: CodecModel) -> None:
        super().__init__()
        self.codec: Any = codec.eval().requires_grad_(False)

    def encode(self, signal: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, ...] of [B, 3, H, W] in [0, 1] or [B, T] in [-1, 1], as the encoder gives them."""
        return file_codes(self.codec, signal, quality)

    def encode_as_files_do(self, signal: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, ...] that a file holds if nobody asks for more or less effort."""
        return _usual(self.codec, signal, quality).clone()

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        """What is restored from codes; no gradient flows through it."""
        return _decoded(self.codec, codes, quality).clone()


def file_codes(codec: Any, signal: Tensor, quality: int) -> Tensor:
    """`FrozenCodec.encode` of a model of which another part is trained: its codes stand still all the same."""
    return _encoded(codec, signal, quality).clone()  # a clone of an inference tensor may be kept for a backward pass


@torch.inference_mode()
@in_float32
def _encoded(codec: Any, signal: Tensor, quality: int) -> Tensor:
    codes: Tensor = codec.encode(signal, quality)
    return codes


@torch.inference_mode()
@in_float32
def _usual(codec: Any, signal: Tensor, quality: int) -> Tensor:
    codes: Tensor = codec.encode_as_files_do(signal, quality)
    return codes


@torch.inference_mode()
@in_float32
def _decoded(codec: Any, codes: Tensor, quality: int) -> Tensor:
    signal: Tensor = codec.decode(codes, quality)
    return signal
