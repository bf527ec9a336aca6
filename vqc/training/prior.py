"""Training of priors: how many bits the next code costs, given the codes before it.

::

    codes on disk ─ random crops or cuts ─► prior ─► bits per code
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vqc.data.batches import WHOLE, Shard, random_for
from vqc.data.packs import AudioPack, ImagePack
from vqc.entropy.tables import ideal_bits
from vqc.models.base import CodecModel
from vqc.models.paper_priors import CodePrior
from vqc.training.code_cache import CachedCodes, CodeStreams
from vqc.training.protocols import Losses

_VALIDATION_BATCH = 1 << 17  # codes


@dataclass(frozen=True, kw_only=True)
class PriorTaskConfig:
    """How batches are drawn and how much is validated."""

    batch_size: int = 32
    crop: int = 16  # positions a side, of code maps
    frames: int = 256  # length, of code sequences
    codes_per_step: int = 65_536  # whose bits count, at most: of more, positions are drawn. Bounds memory
    validation_codes: int = 500_000  # of each quality, at most


class PriorBatch(NamedTuple):
    """Crops of one quality."""

    codes: Tensor  # int64 [B, G, h, w] or [B, G, T]
    positions: Tensor  # int64 [N] of the flattened [B, h, w] or [B, T]: those whose bits count
    quality: int


class PriorFigures(NamedTuple):
    """Validation at one quality."""

    bits_per_code: float
    bits_per_code_order0: float  # of the same codes under the codec's static tables
    bits_per_dim: float  # per sample, or per value of red, green and blue


class PriorTask:
    """The mean of −log2 P over codes; one quality a micro-step, in turn.

    Args:
        prior: for the codes of `codec`.
        codec: whose static tables the prior is compared with.
        codes: by quality; those given are trained.
        chances: of each item of the data to be drawn, relative to others of its size; the same for all if left out.
        shard: each of several processes takes its rows of the batch.
    """

    def __init__(
        self,
        prior: CodePrior,
        codec: CodecModel,
        codes: Mapping[int, CachedCodes],
        config: PriorTaskConfig,
        *,
        chances: Mapping[int, float] | None = None,
        seed: int = 0,
        shard: Shard = WHOLE,
    ) -> None:
        self.prior, self.codes, self.config, self.seed = prior, dict(sorted(codes.items())), config, seed
        self.rows = shard.rows(config.batch_size)
        self._ends = {q: _cumulative_chances(parts.training, chances) for q, parts in self.codes.items()}
        self._tables = {q: codec.static_frequencies(q) for q in self.codes}

    @property
    def model(self) -> CodePrior:
        """The prior."""
        return self.prior

    @property
    def networks(self) -> Sequence[nn.Module]:
        """The part that is worth compiling."""
        return [self.prior.network]

    def batch(self, step: int) -> PriorBatch:
        """Crops drawn in proportion to the size of their streams; one no larger than the smallest stream among them."""
        config = self.config
        quality = list(self.codes)[step % len(self.codes)]
        streams, ends = self.codes[quality].training, self._ends[quality]
        generator = random_for(self.seed, step)
        chosen = np.searchsorted(ends[:-1], generator.random(config.batch_size) * ends[-1], side="right")
        wanted = [config.crop] * 2 if streams.grids.shape[1] == 2 else [config.frames]
        shape = np.minimum(streams.grids[chosen].min(0), wanted)
        starts = generator.integers(streams.grids[chosen] - shape + 1)
        counted = max(1, min(shape.prod(), config.codes_per_step // (config.batch_size * streams.groups)))
        positions = generator.random((config.batch_size, shape.prod())).argsort(1)[:, :counted]
        own = zip(chosen[self.rows].tolist(), starts[self.rows], strict=True)
        crops = [_crop(streams[i], start, shape) for i, start in own]
        positions = positions[self.rows] + np.arange(len(crops))[:, None] * shape.prod()
        return PriorBatch(torch.from_numpy(np.stack(crops)), torch.from_numpy(positions.flatten()), quality)

    def loss(self, batch: PriorBatch, step: int) -> Losses:
        """Bits per code."""
        bits = self.prior.bits(batch.codes, batch.quality, batch.positions).mean()
        return Losses(bits, {"bits_per_code": bits.detach()})

    def validate(self) -> Mapping[str, float]:
        """Means over the qualities; the score is bits per code."""
        figures = {quality: self.measure(quality) for quality in self.codes}
        mean = PriorFigures(*np.mean(list(figures.values()), axis=0).tolist())
        saving = 100 * (1 - mean.bits_per_code / mean.bits_per_code_order0) if mean.bits_per_code_order0 else 0.0
        rows = {"score": mean.bits_per_code, **mean._asdict(), "saving_percent": saving}
        if len(figures) > 1:
            rows |= {f"bits_per_code_{quality}": f.bits_per_code for quality, f in figures.items()}
        return rows

    @torch.inference_mode()
    def measure(self, quality: int) -> PriorFigures:
        """Figures of one quality on validation streams, each predicted from its own beginning."""
        streams = self.codes[quality].validation
        device = next(self.prior.parameters()).device
        bits = order0 = 0.0
        codes = values = 0
        for batch in _same_size(streams, _evenly(streams, self.config.validation_codes)):
            symbols = np.stack([streams[i] for i in batch]).astype(np.int64)
            bits += float(self.prior.bits(torch.from_numpy(symbols).to(device), quality).double().sum())
            order0 += ideal_bits(np.moveaxis(symbols, 1, 0).reshape(streams.groups, -1), self._tables[quality])
            codes += symbols.size
            values += int(streams.values[batch].sum())
        return PriorFigures(bits / codes, order0 / codes, bits / values)


def relative_chances(pack: ImagePack | AudioPack) -> dict[int, float] | None:
    """What `PriorTask` takes as chances: those of the pack, which favour long recordings, of items of one size."""
    if pack.chances is None:
        return None
    sizes = pack.lengths[pack.training] if isinstance(pack, AudioPack) else 1
    return dict(zip(pack.training, (pack.chances / sizes).tolist(), strict=True))


def _cumulative_chances(streams: CodeStreams, chances: Mapping[int, float] | None) -> NDArray[np.float64]:
    weights = streams.positions.astype(np.float64)
    if chances is not None:
        weights *= [chances[item] for item in streams.items.tolist()]
    return np.cumsum(weights)


def _crop(symbols: NDArray[np.uint16], start: NDArray[np.int64], shape: NDArray[np.int64]) -> NDArray[np.int64]:
    cut = tuple(slice(first, first + size) for first, size in zip(start.tolist(), shape.tolist(), strict=True))
    return symbols[:, *cut].astype(np.int64)


def _evenly(streams: CodeStreams, codes: int) -> list[int]:
    """Streams spread over all, so many that they have about `codes` codes."""
    count = min(len(streams), max(1, int(codes / (streams.groups * streams.positions.mean()))))
    return [i * len(streams) // count for i in range(count)]


def _same_size(streams: CodeStreams, chosen: Sequence[int]) -> Iterator[list[int]]:
    """Neighbours of one size together."""
    batch: list[int] = []
    for i in chosen:
        full = (len(batch) + 1) * streams.positions[i] * streams.groups > _VALIDATION_BATCH
        if batch and (full or (streams.grids[i] != streams.grids[batch[0]]).any()):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
