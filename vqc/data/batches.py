"""Training batches as functions of (seed, step), so that a resumed run sees what an uninterrupted one would have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.data.splits import Float32Array, UInt8Array


def generator_for(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step of one run."""
    # Torch's generator on the CPU looks at 32 bits of a seed, so seed and step are mixed into those.
    return torch.Generator().manual_seed((seed * 0x9E3779B1 + step) & 0xFFFFFFFF)


class ImageBatches:
    """Images of one size drawn from several sets with given shares, flipped left-right and shifted a little.

    Calling with a step gives float32 [B, 3, H, W] in [0, 1].
    """

    def __init__(
        self, sets: Sequence[UInt8Array], shares: Sequence[float], *, batch_size: int, seed: int, max_shift: int = 0
    ) -> None:
        self.sets = [torch.from_numpy(images) for images in sets]
        self.shares = torch.tensor(shares)
        self.batch_size, self.seed, self.max_shift = batch_size, seed, max_shift

    def __call__(self, step: int) -> Tensor:
        generator = generator_for(self.seed, step)
        which = torch.multinomial(self.shares, self.batch_size, replacement=True, generator=generator)
        rows = torch.randint(2**62, (self.batch_size,), generator=generator)
        flips = torch.rand(self.batch_size, generator=generator) < 0.5
        images = torch.stack([self.sets[w][r % len(self.sets[w])] for w, r in zip(which.tolist(), rows, strict=True)])
        images = torch.where(flips[:, None, None, None], images.flip(-1), images).float() / 255
        if self.max_shift:
            dy, dx = torch.randint(2 * self.max_shift + 1, (2,), generator=generator).tolist()
            H, W = images.shape[-2:]
            images = F.pad(images, [self.max_shift] * 4, mode="reflect")[..., dy : dy + H, dx : dx + W]
        return images


class WaveformBatches:
    """Random cuts of utterances; utterances are drawn in proportion to their length.

    Calling with a step gives float32 [B, T] in [-1, 1]; an utterance shorter than the cut is padded with zeros.
    """

    def __init__(self, waveforms: Sequence[Float32Array], *, length: int, batch_size: int, seed: int) -> None:
        self.waveforms = waveforms
        self.lengths = torch.tensor([len(w) for w in waveforms], dtype=torch.float64)
        self.length, self.batch_size, self.seed = length, batch_size, seed

    def __call__(self, step: int) -> Tensor:
        generator = generator_for(self.seed, step)
        which = torch.multinomial(self.lengths, self.batch_size, replacement=True, generator=generator)
        places = torch.rand(self.batch_size, generator=generator)
        batch = np.zeros((self.batch_size, self.length), dtype=np.float32)
        for row, index, place in zip(batch, which.tolist(), places.tolist(), strict=True):
            waveform = self.waveforms[index]
            start = int(place * max(0, len(waveform) - self.length + 1))
            cut = waveform[start : start + self.length]
            row[: len(cut)] = cut
        return torch.from_numpy(batch)
