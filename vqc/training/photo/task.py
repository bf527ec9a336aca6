"""The task of `photo` models, their starting values (a linear transform and k-means), and their validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqc.data.batches import WHOLE, CropBatches, Prefetched, Shard, as_batch
from vqc.data.data_source import evenly_spaced
from vqc.data.datasets import ImageDataset
from vqc.errors import TrainingError
from vqc.models.config import Config, limited
from vqc.models.photo.model import BLOCK, DC_COUNT, DC_SIZE, PhotoModel
from vqc.nn import ecvq_fit
from vqc.nn.block_transform import cut_blocks
from vqc.training.loop.task import Losses, Task
from vqc.training.stages import tracked

LOSS_UNIT = 100.0  # bits a block: brings gradients to about the norm at which `loop.gradient_clip` cuts


def centres(dataset: ImageDataset, photos: Sequence[int], limit: int | None = None) -> Iterator[Tensor]:
    """Photos [1, 3, H, W] in [0, 1], sides cut to multiples of 16, and around the centre to `limit` if given."""
    for i in photos:
        photo = dataset.image(i)
        sides = [min(n, limit or n) // BLOCK * BLOCK for n in photo.shape[:2]]
        top, left = ((n - s) // 2 for n, s in zip(photo.shape[:2], sides, strict=True))
        if min(sides):
            yield as_batch([photo[top : top + sides[0], left : left + sides[1]]])


@torch.no_grad()
def initialise(model: PhotoModel, dataset: ImageDataset, *, seed: int = 0, crops: int = 700) -> None:
    """Make the model a good linear codec: KLT, prediction by least squares, then ECVQ by k-means at each quality."""
    batches = CropBatches(dataset, side=256, batch_size=1, seed=seed)
    images = [batches(i) for i in tracked(range(crops))]
    centred = [255 * (x - 0.5) for x in images]
    blocks = torch.cat([cut_blocks(x, BLOCK).reshape(-1, 3, BLOCK, BLOCK) for x in centred])
    model.transform.fit_klt(blocks, means_first=True)
    coefficients = torch.cat([model.transform.analyse(x) for x in centred])
    scaled = coefficients / model.transform.scale[None, :, None, None]
    model.prediction.fit_linear(list(scaled[:, :DC_COUNT]), list(scaled[:, DC_COUNT:]))
    for index in tracked(range(model.qualities)):
        rows = torch.cat([model.ac_rows(x, index + 1) for x in images])
        chosen = torch.from_numpy(np.random.default_rng((seed, index)).permutation(len(rows))[:50_000])
        ecvq_fit.fit(model.quantizer, rows[chosen], index, iterations=8, seed=seed)


class RatePoint(NamedTuple):
    """One quality on validation photos."""

    bits_per_pixel_ideal: float
    psnr: float  # mean over photos, dB
    lagrangian: float  # bits a block, distortion included


@torch.no_grad()
def rate_distortion(model: PhotoModel, images: list[Tensor]) -> list[RatePoint]:
    """Order-0 information content and PSNR at each quality; the mean colours at the entropy of their residuals."""
    points, device = [], model.steps.device
    for index in tracked(range(model.qualities)):
        indices = torch.tensor([index], device=device)
        psnr, bits, squares, blocks = [], 0.0, 0.0, 0
        counts = np.zeros((DC_COUNT, DC_SIZE), dtype=np.int64)
        for image in images:
            image = image.to(device)
            result = model(image, indices)
            symbols = model.to_symbols(result.dc_codes[0].cpu().numpy())
            for g in range(DC_COUNT):
                counts[g] += np.bincount(symbols[g].ravel(), minlength=DC_SIZE)
            count = symbols[0].size
            error = 255**2 * float((result.image.clamp(0, 1) - image).square().mean())
            psnr.append(10 * math.log10(255**2 / max(error, 1e-9)))
            squares += error * count * 3 * BLOCK**2
            bits += float(result.bits[0]) * count
            blocks += count
        bits += float(sum(-(c[c > 0] * np.log2(c[c > 0] / c.sum())).sum() for c in counts))
        cost = squares / blocks / model.config.lambdas[index] + bits / blocks
        points.append(RatePoint(bits / blocks / BLOCK**2, float(np.mean(psnr)), cost))
    return points


@dataclass(frozen=True, kw_only=True)
class PhotoTaskConfig(Config):
    """Settings of batches, of the loss, and of the numbers of photos for starting values, tables and figures."""

    side: int = limited(256, 1)
    batch_size: int = limited(4, 2)  # crops, half of them at each of the two qualities of a step
    commitment_weight: float = limited(0.7, 0)
    level_balance: float = limited(0.25, 0)  # the loss of a quality is weighed by its λ to this power
    train_synthesis: bool = True  # False: the decoder's network stays as it is, as one trained on refined codes should
    validation_photos: int = limited(12, 1)
    validation_side: int = limited(384, 1)
    start_crops: int = limited(700, 1)  # from which the linear transform and the first dictionaries are made
    occupying_photos: int = limited(100, 1)  # training photos by which idle entries are given a place
    table_photos: int = limited(250, 1)  # training photos from which the last dictionaries and the tables are counted
    report_photos: int = limited(36, 1)  # validation photos of the figures in the model file

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % 2 or self.side % BLOCK:
            raise ValueError(f"batch_size must be even and side a multiple of {BLOCK}")


class PhotoTask(Task):
    """Distortion in bits plus commitment; two qualities a step, all of them in turn."""

    model: PhotoModel

    def __init__(
        self, model: PhotoModel, dataset: ImageDataset, config: PhotoTaskConfig, *, seed: int = 0, shard: Shard = WHOLE
    ) -> None:
        self.model, self.config, self.seed = model, config, seed
        self.networks = (model.analysis, model.synthesis)
        model.synthesis.requires_grad_(config.train_synthesis)
        self.rows = shard.rows(config.batch_size)
        if (self.rows.stop - self.rows.start) % 2:
            raise TrainingError(f"each process needs an even part of a batch; {config.batch_size} is too few for all")
        self.crops = Prefetched(
            CropBatches(dataset, side=config.side, batch_size=config.batch_size, seed=seed, shard=shard)
        )
        lambdas = torch.tensor(model.config.lambdas)
        self.inverse = 255**2 / lambdas
        self.weight = (lambdas / 1000) ** config.level_balance
        photos = evenly_spaced(dataset.validation, config.validation_photos)
        self.held_out = list(centres(dataset, photos, config.validation_side))
        if not self.held_out:
            raise TrainingError(
                f"the validation photos of {dataset.title} are smaller than {BLOCK} pixels; give others"
            )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Crops [B, 3, side, side] and the indices [B] of their qualities, two in turn."""
        pairs = -(-self.model.qualities // 2)
        order = np.random.default_rng((self.seed, 1, step // pairs)).permutation(self.model.qualities)
        first = 2 * (step % pairs)
        two = [*order[first : first + 2], order[0]][:2]  # an odd number of qualities: the first once more
        indices = torch.tensor(two).repeat(self.config.batch_size // 2)[self.rows]
        return self.crops(step), indices

    def loss(self, batch: tuple[Tensor, Tensor], step: int) -> Losses:
        """Squared error / λ + commitment in bits a block, weighed by quality."""
        image, indices = batch  # [B, 3, H, W], [B]
        result = self.model(image, indices)
        inverse, weight = self.inverse.to(image)[indices], self.weight.to(image)[indices]  # [B]
        distortion = (result.image - image).square().mean((1, 2, 3)) * inverse * 3 * BLOCK**2  # [B], bits a block
        cost = distortion + self.config.commitment_weight * result.commitment
        total = (cost * weight).mean() / LOSS_UNIT
        logged = {
            "distortion": distortion.detach().mean(),
            "commitment": result.commitment.detach().mean(),
            "bits": result.bits.mean(),
        }
        return Losses(total, logged)

    def validate(self) -> Mapping[str, float]:
        """Rate and PSNR of each quality; the score is the mean log of the Lagrangians."""
        points = rate_distortion(self.model, self.held_out)
        figures = {f"bpp_{q + 1}": p.bits_per_pixel_ideal for q, p in enumerate(points)}
        figures |= {f"psnr_{q + 1}": p.psnr for q, p in enumerate(points)}
        return figures | {"score": float(np.mean([math.log2(p.lagrangian) for p in points]))}
