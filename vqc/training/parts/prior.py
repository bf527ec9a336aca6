"""The task of priors: to predict the next code, given the codes before it.

::

    codes on disk ─ random crops or cuts ─► prior ─► bits of the codes at some positions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.data.batches import WHOLE, Shard, random_for
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.devices import to_device
from vqc.entropy.tables import TOTAL, ideal_bits
from vqc.models.base import CodecModel
from vqc.models.config import limited
from vqc.models.prior import CodePrior
from vqc.nn.integer import calibrating, forget_calibration, is_calibrated, round_in_training
from vqc.nn.precision import in_float32
from vqc.training.loop.task import Losses, Task
from vqc.training.media import MEDIA
from vqc.training.parts.base import PartConfig
from vqc.training.parts.code_cache import CachedCodes, CodeStreams
from vqc.training.sampling import batches_of_one_shape

_VALIDATION_BATCH = 1 << 17  # codes


@dataclass(frozen=True, kw_only=True)
class PriorTaskConfig(PartConfig):
    """The codes of a prior, how batches are drawn of them, and how many are validated."""

    batch_size: int = limited(32, 1)
    crop: int = limited(16, 1)  # positions a side, of code maps
    frames: int = limited(256, 1)  # length, of code sequences
    codes_per_step: int = limited(65_536, 1)  # whose bits count, at most: of more, positions are drawn. Bounds memory
    validation_codes: int = limited(500_000, 1)  # of each quality, at most
    report_codes: int = limited(3_000_000, 1)  # likewise, for the figures in the model file
    round_from: float = limited(0.75, 0, 1)  # share of the run from which it computes with rounded numbers; 1: never
    qualities: tuple[int, ...] = limited((), 1)  # empty: all
    views: int = limited(1, 1)  # encoded of each training item: as it is, mirrored, shifted by less than a code
    class_dropout: float = limited(0.15, 0, 1)  # share of labelled items whose class is not told: files tell none
    # Side in pixels of a random square, maybe shrunk and mirrored, that is encoded of each; 0: all.
    piece: int = limited(0, 0)


class PriorBatch(NamedTuple):
    """Crops of one quality."""

    codes: Tensor  # int64 [B, G, h, w] or [B, G, T]
    chosen: Tensor  # bool [B, h, w] or [B, T]: positions whose bits count, equally many of each crop
    quality: int
    labels: Tensor | None = None  # int64 [B], classes or −1; None for a prior without classes


class PriorFigures(NamedTuple):
    """Validation at one quality."""

    bits_per_code: float
    bits_per_code_static: float  # of the same codes under the codec's static tables
    bits_per_dim: float  # per sample, or per value of red, green and blue

    @property
    def share(self) -> float:
        """Share of the bits under the static tables that is left."""
        return self.bits_per_code / self.bits_per_code_static if self.bits_per_code_static else 1.0


def described(floats: PriorFigures, integers: PriorFigures) -> dict[str, float]:
    """The entry of a model file on its prior at one quality."""
    return {
        "bits_per_code": round(floats.bits_per_code, 5),
        "bits_per_code_integer": round(integers.bits_per_code, 5),
        "bits_per_code_static": round(integers.bits_per_code_static, 5),
        "saving_percent": round(100 * (1 - integers.share), 2),
        "bits_per_dim": round(integers.bits_per_dim, 5),
    }


class PriorTask(Task):
    """The mean of −log2 P over codes; one quality a micro-step, in turn.

    Args:
        prior: for the codes of `codec`.
        codec: whose static tables the prior is compared with.
        codes: by quality; those given are trained.
        weights: of each item of the data to be drawn, relative to others of its size; the same for all if left out.
        labels: of all items of the data, int64 [N]: numbers of the prior's classes or −1. For a prior of classes.
        shard: each of several processes takes its rows of the batch.
    """

    model: CodePrior

    def __init__(
        self,
        prior: CodePrior,
        codec: CodecModel,
        codes: Mapping[int, CachedCodes],
        config: PriorTaskConfig,
        *,
        weights: Mapping[int, float] | None = None,
        labels: NDArray[np.int64] | None = None,
        seed: int = 0,
        shard: Shard = WHOLE,
    ) -> None:
        self.model, self.codes, self.config, self.seed = prior, dict(sorted(codes.items())), config, seed
        network = getattr(prior, "network", None)  # does all positions at once
        self.networks = [] if network is None else [network]
        self.labels = labels if prior.classes else None
        self.rows = shard.rows(config.batch_size)
        self._draws = {q: _Crops(parts.training, config, weights) for q, parts in self.codes.items()}
        self._tables = {q: codec.static_frequencies(q) for q in self.codes}
        self._to_symbols = codec.to_symbols
        self._units = _units(self._tables)
        self._rounds = False

    def batch(self, step: int) -> PriorBatch:
        """Crops, any with the same chance as any other, and positions in them."""
        return self._drawn(step, self.rows)

    def _drawn(self, step: int, own_rows: slice) -> PriorBatch:
        """Some rows of the batch of a step."""
        config = self.config
        quality = list(self.codes)[step % len(self.codes)]
        draws, generator = self._draws[quality], random_for(self.seed, step)
        drawn, starts, shape = draws(config.batch_size, generator)
        area = int(shape.prod())
        counted = max(1, min(area, config.codes_per_step // (config.batch_size * draws.streams.groups)))
        places = generator.random((config.batch_size, area)).argsort(1)[own_rows, :counted]  # [B, counted]
        own = zip(drawn[own_rows].tolist(), starts[own_rows], strict=True)
        crops = np.stack([_crop(draws.streams[i], start, shape) for i, start in own])
        mask = np.zeros((len(crops), area), dtype=bool)
        np.put_along_axis(mask, places, True, 1)
        labels = None
        if self.labels is not None:
            told = generator.random(config.batch_size) >= config.class_dropout
            of_rows = np.where(told, self.labels[draws.streams.items[drawn]], -1)[own_rows]
            labels = torch.from_numpy(of_rows)
        return PriorBatch(torch.from_numpy(crops), torch.from_numpy(mask.reshape(-1, *shape)), quality, labels)

    def loss(self, batch: PriorBatch, step: int) -> Losses:
        """Bits a position, in a unit of the quality."""
        codes = batch.codes
        if not self._rounds and self.elapsed >= self.config.round_from:
            self._rounds = True
            if not is_calibrated(self.model):
                self.calibrate()
            round_in_training(self.model)
        bits = self._bits(codes, batch).mean()
        return Losses(bits * (codes.shape[1] / self._units[batch.quality]), {"bits_per_code": bits.detach()})

    @torch.no_grad()
    def calibrate(self) -> None:
        """Choose the units of the inputs of all layers, by a batch of each quality: the same on all ranks."""
        device = next(iter(self.model.state_dict().values())).device
        training = self.model.training
        self.model.eval()
        with calibrating(self.model):
            for step in range(len(self.codes)):
                batch = to_device(self._drawn(step, slice(None)), device)
                self._bits(batch.codes, batch)
        self.model.train(training)

    @in_float32
    def _bits(self, codes: Tensor, batch: PriorBatch) -> Tensor:
        """Logits of bfloat16 are off by 1/16 of a nat."""
        with self.model.showing(batch.labels):
            return self.model.bits(codes, batch.quality, batch.chosen)

    def validate(self) -> Mapping[str, float]:
        """Means over the qualities, as rounded; the score is the share of the bits under static tables that is left."""
        if not self._rounds:
            self.calibrate()
            round_in_training(self.model)
        figures = {quality: self.measure(quality) for quality in self.codes}
        told = None if self.labels is None else [self.measure(q, told=True).bits_per_code for q in self.codes]
        if not self._rounds:
            round_in_training(self.model, False)
            forget_calibration(self.model)
        share = float(np.mean([f.share for f in figures.values()]))
        mean = PriorFigures(*np.mean(list(figures.values()), axis=0).tolist())
        rows = {"score": share, **mean._asdict(), "saving_percent": 100 * (1 - share)}
        if told is not None:
            rows["bits_per_code_told"] = float(np.mean(told))
        if len(figures) > 1:
            rows |= {f"bits_per_code_{quality}": f.bits_per_code for quality, f in figures.items()}
            rows |= {f"saving_percent_{quality}": 100 * (1 - f.share) for quality, f in figures.items()}
        return rows

    @torch.inference_mode()
    def measure(self, quality: int, at_most: int | None = None, *, told: bool = False) -> PriorFigures:
        """Measure one quality on validation streams, as a file would hold them; on `at_most` codes.

        Args:
            told: tell the prior the class of each, which no file does.
        """
        streams = self.codes[quality].validation
        device = next(iter(self.model.state_dict().values())).device  # a prior in integers has no parameters
        bits = static = 0.0
        count = values = 0
        chosen = _validation_streams(streams, at_most or self.config.validation_codes)
        for batch in batches_of_one_shape(chosen, streams.shape, _VALIDATION_BATCH):
            codes = np.stack([streams[i] for i in batch]).astype(np.int64)
            labels = torch.from_numpy(self.labels[streams.items[batch]]) if told and self.labels is not None else None
            with self.model.showing(labels if labels is None else labels.to(device)):
                bits += float(self.model.bits(torch.from_numpy(codes).to(device), quality).double().sum())
            symbols = np.stack([self._to_symbols(item) for item in codes], axis=1)
            static += ideal_bits(symbols.reshape(streams.groups, -1), self._tables[quality])
            count += codes.size
            values += int(streams.values[batch].sum())
        return PriorFigures(bits / count, static / count, bits / values)


class _Crops:
    """Crops of the streams of one quality: all of the size asked for if most codes are in streams that hold it.

    Otherwise those of a batch are as large as the smallest stream among them.
    """

    def __init__(self, streams: CodeStreams, config: PriorTaskConfig, weights: Mapping[int, float] | None) -> None:
        self.streams = streams
        self.shape = np.array([config.crop] * 2 if streams.grids.shape[1] == 2 else [config.frames])
        windows = (streams.grids - np.minimum(self.shape, streams.grids) + 1).prod(1).astype(np.float64)
        held = (streams.grids >= self.shape).all(1)
        if 2 * streams.positions[held].sum() > streams.positions.sum():
            windows *= held
        if weights is not None:
            windows *= [weights[item] for item in streams.items.tolist()]
        self.ends = np.cumsum(windows)

    def __call__(
        self, count: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Streams [count], where the crops start in them [count, axes], and their size [axes]."""
        chosen = np.searchsorted(self.ends[:-1], generator.random(count) * self.ends[-1], side="right")
        shape = np.minimum(self.streams.grids[chosen].min(0), self.shape)
        return chosen, generator.integers(self.streams.grids[chosen] - shape + 1), shape


def relative_weights(dataset: ImageDataset | AudioDataset) -> dict[int, float] | None:
    """Weights of items for `PriorTask`: the probabilities of the dataset without their part for the length."""
    if dataset.probabilities is None:
        return None
    weights = dataset.probabilities / MEDIA[dataset.media].lengths(dataset)
    return dict(zip(dataset.training, weights.tolist(), strict=True))


def _units(tables: Mapping[int, NDArray[np.int64]]) -> dict[int, float]:
    """Units of the loss: the geometric mean of a quality's entropy a position and of that of all qualities.

    As they are, high qualities would drown low ones; as shares of their entropy, low ones would have as much to say as
    those with ten times as many bits.
    """
    bits = {}
    for quality, table in tables.items():
        probabilities = np.where(table > 0, table, TOTAL) / TOTAL
        bits[quality] = max(1e-2, -float((probabilities * np.log2(probabilities)).sum()))
    usual = float(np.exp(np.mean(np.log(list(bits.values())))))
    return {quality: float(np.sqrt(usual * b)) for quality, b in bits.items()}


def _crop(codes: NDArray[np.uint16], start: NDArray[np.int64], shape: NDArray[np.int64]) -> NDArray[np.int64]:
    cut = tuple(slice(first, first + size) for first, size in zip(start.tolist(), shape.tolist(), strict=True))
    return codes[:, *cut].astype(np.int64)


def _validation_streams(streams: CodeStreams, codes: int) -> list[int]:
    """Streams from all over the data that have about `codes` codes together."""
    count = max(1, int(codes / (streams.groups * streams.positions.mean())))
    return evenly_spaced(range(len(streams)), count)
